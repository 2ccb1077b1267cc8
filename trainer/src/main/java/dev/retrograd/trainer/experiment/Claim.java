package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Estimate;
import dev.retrograd.trainer.evaluate.Scored;
import dev.retrograd.trainer.report.Table;
import java.util.List;

/// One thing that the paper says, and the difference that has to be positive for it to be so.
///
/// @param statement the paper's, as an ordering
/// @param difference what was measured of it; a difference of a single value (a count, a time) has no standard error
public record Claim(String statement, Estimate difference) {
    /// Beyond so many standard errors a difference is no accident: 95 in 100.
    private static final double CLEAR = 1.96;

    /// What numbers say of a claim.
    public enum Verdict {
        HOLDS("holds"), UNCLEAR("not distinguishable from no difference"), FAILS("does not hold");

        private final String words;

        Verdict(String words) {
            this.words = words;
        }

        @Override public String toString() {
            return words;
        }
    }

    /// That one model's measure is greater than another's, on the same noise.
    public static Claim greater(String statement, Scored greater, Scored less, String measure) {
        return new Claim(statement, Estimate.ofDifference(greater.scores().get(measure), less.scores().get(measure)));
    }

    /// That a number is positive.
    public static Claim positive(String statement, double value) {
        return new Claim(statement, new Estimate(1, value, Double.NaN));
    }

    /// Holds if the difference is positive beyond chance; a single value if it is positive. A claim of the wrong sign that chance could explain is unclear, too.
    public Verdict verdict() {
        double mean = difference.mean();
        boolean certain = difference.count() == 1 || !(Math.abs(mean) <= CLEAR * difference.standardError());
        if (!Double.isFinite(mean) || !certain) {
            return Verdict.UNCLEAR;
        }
        return mean > 0 ? Verdict.HOLDS : Verdict.FAILS;
    }

    /// Claims beside what was measured of each.
    static Table table(List<Claim> claims) {
        return new Table(List.of("the paper", "difference measured", "in these numbers"),
                claims.stream().map(c -> List.of(c.statement, c.difference.toString(), c.verdict().toString())).toList());
    }
}
