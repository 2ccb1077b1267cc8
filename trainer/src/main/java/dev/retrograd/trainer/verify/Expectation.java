package dev.retrograd.trainer.verify;

import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/// What must come out of a check under one name: a reference tensor and how far from it a result may be.
///
/// @param tensor in the folder's reference file
/// @param maxRelL2 largest `‖ours − reference‖ / ‖reference‖`; 0 means equal numbers
/// @param maxAbs largest absolute difference of any element
/// @param exact whether all numbers must be equal
record Expectation(String name, String tensor, OptionalDouble maxRelL2, OptionalDouble maxAbs, boolean exact) {

    /// Reads `{"tensor": …, "max_rel_l2": …}`.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException if there is no tensor or no limit, or a limit is negative
    static Expectation of(String name, ModelConfig c) throws IOException {
        String tensor = c.text("tensor", "");
        Expectation e = new Expectation(name, tensor, limit(c, "max_rel_l2"), limit(c, "max_abs"), c.flag("exact", false));
        if (tensor.isEmpty() || !e.exact && e.maxRelL2.isEmpty() && e.maxAbs.isEmpty()) {
            throw c.refuse("must name a 'tensor' and 'max_rel_l2', 'max_abs' or 'exact'");
        }
        c.done();
        return e;
    }

    private static OptionalDouble limit(ModelConfig c, String key) throws IOException {
        if (!c.has(key)) {
            return OptionalDouble.empty();
        }
        double value = c.number(key, 0);
        if (value < 0) {
            throw c.refuse("'" + key + "' must be 0 or more, got " + value);
        }
        return OptionalDouble.of(value);
    }

    /// How far apart two sets of numbers are, by the measure of the limit, and whether that is allowed.
    ///
    /// @param error relative L2 error, or the largest absolute difference where that is what is limited; NaN if a number is NaN
    /// @param reason why it is not allowed, beyond the error itself
    record Verdict(double error, boolean passed, Optional<String> reason) {
    }

    /// Compares. A result may have more leading entries than an activation's reference, which holds the first of the batch only.
    Verdict judge(Values ours, Values reference) {
        Values compared = ours;
        boolean firstOnly = name.startsWith("act:") && ours.shape().rank() > 1 && ours.shape().rank() == reference.shape().rank()
                && reference.shape().dim(0) < ours.shape().dim(0);
        if (firstOnly) {
            compared = ours.leading(reference.shape().dim(0));
        }
        if (!Arrays.equals(compared.sizes(), reference.sizes())) {
            return new Verdict(Double.NaN, false, Optional.of("must be " + reference.shape() + ", got " + ours.shape()));
        }
        double largest = 0;
        double squares = 0;
        double norm = 0;
        for (int i = 0; i < reference.numbers().length; i++) {
            double theirs = reference.numbers()[i];
            double difference = Math.abs(compared.numbers()[i] - theirs);
            // Math.max keeps a NaN, so one bad element shows in either measure.
            largest = Math.max(largest, difference);
            squares += difference * difference;
            norm += theirs * theirs;
        }
        double relative = squares == 0 ? 0 : Math.sqrt(squares) / Math.sqrt(norm);
        boolean passed = (!exact || largest == 0) && within(relative, maxRelL2) && within(largest, maxAbs);
        return new Verdict(maxRelL2.isPresent() && !(maxAbs.isPresent() && !within(largest, maxAbs)) ? relative : largest, passed, Optional.empty());
    }

    private static boolean within(double error, OptionalDouble limit) {
        return limit.isEmpty() || error <= limit.getAsDouble();
    }

    /// The limit that {@link Verdict#error} is held against; 0 where numbers must be equal.
    double limit() {
        return exact ? 0 : maxRelL2.isPresent() ? maxRelL2.getAsDouble() : maxAbs.getAsDouble();
    }

    /// The limit as it is printed.
    String limitText() {
        return exact ? "exact" : maxRelL2.isPresent() ? number(maxRelL2.getAsDouble()) : number(maxAbs.getAsDouble()) + " abs";
    }

    static String number(double value) {
        return String.format(Locale.ROOT, "%.1e", value);
    }
}
