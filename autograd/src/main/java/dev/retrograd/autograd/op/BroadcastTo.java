package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Repeats x along the axes where it has size 1 or none. Parity: torch.broadcast_to (a copy here).
public record BroadcastTo(Shape shape) implements Op<BroadcastTo.Saved> {

    public record Saved(Shape x) {
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.floating(name(), x);
        Check.shape(x.shape().broadcastsTo(shape), name(), "the input must broadcast to " + shape, x);
        return x.with(shape);
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(b.broadcastTo(in[0], 1, shape), needs.of(0) ? new Saved(in[0].shape()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        return new Tensor[] {b.sumTo(dy, 1, s.x())};
    }
}
