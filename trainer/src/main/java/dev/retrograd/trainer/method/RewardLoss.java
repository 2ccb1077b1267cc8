package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Unary;

/// What is minimised, per image.
public sealed interface RewardLoss {

    /// @param scores `[B]`
    /// @return `[B]`
    Var perImage(Var scores);

    /// The same of one score.
    double of(double score);

    /// −R, the paper's.
    record Maximise() implements RewardLoss {
        @Override public Var perImage(Var scores) {
            return scores.affine(-1, 0);
        }

        @Override public double of(double score) {
            return -score;
        }

        @Override public String toString() {
            return "-R";
        }
    }

    /// |target − R|, the released code's form for the aesthetic reward.
    record Target(double target) implements RewardLoss {
        public Target {
            if (!Double.isFinite(target)) {
                throw new IllegalArgumentException("target: must be a finite number, got " + target);
            }
        }

        @Override public Var perImage(Var scores) {
            return scores.affine(-1, target).apply(Unary.ABS);
        }

        @Override public double of(double score) {
            return Math.abs(target - score);
        }

        @Override public String toString() {
            return "|" + target + " - R|";
        }
    }

    /// scale·relu(margin − R), ReFL's: images beyond the margin are left alone.
    record Hinge(double margin, double scale) implements RewardLoss {
        @Override public Var perImage(Var scores) {
            return scores.affine(-1, margin).apply(Unary.RELU).affine(scale, 0);
        }

        @Override public double of(double score) {
            return scale * Math.max(0, margin - score);
        }

        @Override public String toString() {
            return scale + " relu(" + margin + " - R)";
        }
    }
}
