package dev.retrograd.trainer.verify;

import java.util.Optional;

/// How one expected tensor came out.
///
/// @param kind of its check
/// @param name of the result
/// @param error by the measure of the limit; NaN where there is nothing to compare
/// @param limit as it is printed
/// @param share of the limit that the error takes up; NaN where there is no error or the limit is 0
/// @param reason of a failure: the reference tensor's name, and what went wrong
/// @param cause of a computation that failed
public record Outcome(String kind, String name, double error, String limit, double share, boolean passed, String reason, Optional<Exception> cause) {

    static Outcome of(String kind, Expectation e, Expectation.Verdict v) {
        String reason = v.passed() ? "" : e.tensor() + v.reason().map(r -> ": " + r).orElse("");
        return new Outcome(kind, e.name(), v.error(), e.limitText(), e.limit() > 0 ? v.error() / e.limit() : Double.NaN, v.passed(), reason, Optional.empty());
    }

    static Outcome failed(String kind, String name, String limit, String reason, Optional<Exception> cause) {
        return new Outcome(kind, name, Double.NaN, limit, Double.NaN, false, reason, cause);
    }

    /// As `verify` prints it: kind, name, error, limit, ok or FAIL and why.
    @Override public String toString() {
        String shown = Double.isNaN(error) ? "-" : Expectation.number(error);
        return String.format("%-15s %-44s %8s %8s %s", kind, name, shown, limit, passed ? "ok" : "FAIL (" + reason + ")");
    }
}
