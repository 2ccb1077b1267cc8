package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;

/// Feature vectors divided by their Euclidean length.
public final class UnitLength {
    private UnitLength() {
    }

    /// @param features `[B,C]`, none of them zero (that would give NaN, as upstream)
    /// @return `[B,C]`
    public static Var of(Var features) {
        Var squares = features.times(features);
        return features.dividedBy(squares.apply(new SumTo(Shape.of(features.dim(0), 1), 1)).apply(Unary.SQRT));
    }
}
