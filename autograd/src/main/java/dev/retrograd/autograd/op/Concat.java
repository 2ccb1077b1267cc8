package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Joins tensors along an axis; the other axes agree. Saves nothing but sizes. Parity: torch.cat.
public record Concat(int axis) implements Op<Concat.Saved> {

    public record Saved(Spec[] in) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 1, Integer.MAX_VALUE, in);
        int total = 0;
        for (Spec s : in) {
            Check.shape(s.dtype() == in[0].dtype() && s.shape().rank() == in[0].shape().rank()
                    && s.shape().with(axis, 0).equals(in[0].shape().with(axis, 0)), name(), "inputs must agree but for axis " + axis, in[0], s);
            total += s.shape().dim(axis);
        }
        return in[0].with(in[0].shape().with(axis, total));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Spec[] specs = Arrays.stream(in).map(Tensor::spec).toArray(Spec[]::new);
        Tensor y = b.empty(name(), out(specs));
        int a = y.shape().axis(axis);
        int at = 0;
        for (Tensor x : in) {
            b.copySlice(x, a, 0, y, at, x.dim(a));
            at += x.dim(a);
        }
        return new Out<>(y, new Saved(specs));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        int a = dy.shape().axis(axis);
        Tensor[] dx = new Tensor[s.in().length];
        int at = 0;
        for (int i = 0; i < dx.length; i++) {
            int size = s.in()[i].shape().dim(a);
            if (needs.of(i)) {
                dx[i] = b.empty("dx", s.in()[i]);
                b.copySlice(dy, a, at, dx[i], 0, size);
            }
            at += size;
        }
        return dx;
    }
}
