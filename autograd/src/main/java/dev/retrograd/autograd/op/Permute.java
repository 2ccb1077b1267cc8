package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Reorders axes: axis i of y is axis `axes[i]` of x; a copy. Parity: torch.permute.
public record Permute(int... axes) implements Op<Op.Nothing> {
    private static final int MAX_RANK = 6;

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        int[] sorted = axes.clone();
        Arrays.sort(sorted);
        boolean each = sorted.length == x.shape().rank();
        for (int i = 0; each && i < sorted.length; i++) {
            each = sorted[i] == i;
        }
        Check.shape(axes.length <= MAX_RANK, name(), "at most " + MAX_RANK + " axes can be reordered", x);
        Check.shape(each, name(), "axes " + Arrays.toString(axes) + " must name each axis once", x);
        return x.with(Shape.of(Arrays.stream(axes).map(x.shape()::dim).toArray()));
    }

    @Override public Out<Nothing> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec()));
        b.permute(in[0], axes, y);
        return new Out<>(y, null);
    }

    @Override public Tensor[] backward(Backend b, Nothing s, Tensor dy, Needs needs) {
        int[] inverse = new int[axes.length];
        for (int i = 0; i < axes.length; i++) {
            inverse[axes[i]] = i;
        }
        Tensor dx = b.empty("dx", new Permute(inverse).out(dy.spec()));
        b.permute(dy, inverse, dx);
        return new Tensor[] {dx};
    }

    @Override public boolean equals(Object o) {
        return o instanceof Permute(int[] other) && Arrays.equals(axes, other);
    }

    @Override public int hashCode() {
        return Arrays.hashCode(axes);
    }
}
