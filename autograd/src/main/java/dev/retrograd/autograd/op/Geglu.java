package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Gated GELU, `value·gelu(gate)` with `[value, gate]` the halves of the last axis: x `[..., 2C]`, y `[..., C]`.
///
/// Source: arXiv 2002.05202. Parity: diffusers `GEGLU` (exact erf).
public record Geglu() implements Op<Geglu.Saved> {

    public record Saved(Tensor x) {
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.shape(x.shape().rank() >= 1 && x.shape().channels() % 2 == 0, name(), "x must have an even number of channels", x);
        return x.with(x.shape().with(-1, x.shape().channels() / 2));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec()));
        b.geglu(in[0], y);
        return new Out<>(y, needs.of(0) ? new Saved(in[0]) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.empty("dx", s.x().spec());
        b.gegluBackward(s.x(), dy, dx);
        return new Tensor[] {dx};
    }
}
