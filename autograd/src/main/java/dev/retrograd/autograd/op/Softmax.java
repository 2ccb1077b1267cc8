package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Softmax over the last axis. Shape: `[..., C]`, unchanged; saves its result. Parity: torch.softmax with dim −1.
public record Softmax() implements Op<Softmax.Saved> {

    public record Saved(Tensor y) {
    }

    @Override public Spec out(Spec... in) {
        Check.floating(name(), Check.inputs(name(), 1, in)[0]);
        return in[0];
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), in[0].spec());
        b.softmax(in[0], y);
        return new Out<>(y, needs.of(0) ? new Saved(y) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.empty("dx", dy.spec());
        b.softmaxBackward(s.y(), dy, dx);
        return new Tensor[] {dx};
    }
}
