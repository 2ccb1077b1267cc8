package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// `count` entries of an axis from `start` on; a copy. Parity: torch.narrow.
public record Slice(int axis, int start, int count) implements Op<Slice.Saved> {

    public record Saved(Spec x) {
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.shape(start >= 0 && count >= 0 && start + count <= x.shape().dim(axis), name(),
                "entries " + start + ".." + (start + count) + " must lie within axis " + axis, x);
        return x.with(x.shape().with(axis, count));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec()));
        b.copySlice(in[0], in[0].shape().axis(axis), start, y, 0, count);
        return new Out<>(y, needs.of(0) ? new Saved(in[0].spec()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.zeros("dx", s.x());
        b.copySlice(dy, dy.shape().axis(axis), 0, dx, start, count);
        return new Tensor[] {dx};
    }
}
