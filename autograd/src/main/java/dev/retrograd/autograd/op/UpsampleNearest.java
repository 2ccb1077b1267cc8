package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Repeats every pixel `factor` times in both directions: x `[B,H,W,C]`, y `[B,H·factor,W·factor,C]`. Parity: torch interpolate, mode nearest.
public record UpsampleNearest(int factor) implements Op<UpsampleNearest.Saved> {

    public record Saved(Spec x) {
    }

    /// @throws IllegalArgumentException unless the factor is 1 or more
    public UpsampleNearest {
        if (factor < 1) {
            throw new IllegalArgumentException("upsampleNearest: factor must be 1 or more, got " + factor);
        }
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.shape(x.shape().rank() == 4, name(), "x must be [B,H,W,C]", x);
        return x.with(Shape.of(x.shape().dim(0), x.shape().dim(1) * factor, x.shape().dim(2) * factor, x.shape().dim(3)));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec()));
        b.upsampleNearest(factor, in[0], y);
        return new Out<>(y, needs.of(0) ? new Saved(in[0].spec()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.empty("dx", s.x());
        b.upsampleNearestBackward(factor, dy, dx);
        return new Tensor[] {dx};
    }
}
