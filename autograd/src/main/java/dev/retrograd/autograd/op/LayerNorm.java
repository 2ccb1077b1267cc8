package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Layer normalisation of every row: x `[..., C]`, gamma `[C]`, beta `[C]`. Source: arXiv 1607.06450. Parity: torch.nn.functional.layer_norm.
///
/// @param eps added to the variance
public record LayerNorm(double eps) implements Op<LayerNorm.Saved> {

    public record Saved(Tensor x, Tensor gamma, Tensor mean, Tensor rstd) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 3, in);
        Check.shape(in[0].shape().rank() >= 1, name(), "x must be [...,C]", in[0]);
        Check.vector(name(), "gamma", in[0].shape().channels(), in[1]);
        Check.vector(name(), "beta", in[0].shape().channels(), in[2]);
        return in[0];
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), in[0].spec());
        Spec statistics = new Spec(Shape.of(Math.toIntExact(in[0].shape().rows())), DType.F32);
        Tensor mean = b.empty("mean", statistics);
        Tensor rstd = b.empty("rstd", statistics);
        b.layerNorm(eps, in[0], in[1], in[2], y, mean, rstd);
        return new Out<>(y, needs.any(0, 1, 2) ? new Saved(in[0], in[1], mean, rstd) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = null;
        if (needs.of(0)) {
            dx = b.empty("dx", s.x().spec());
            b.layerNormBackward(s.x(), s.gamma(), s.mean(), s.rstd(), dy, dx);
        }
        Tensor dgamma = null;
        Tensor dbeta = null;
        if (needs.any(1, 2)) {
            dgamma = b.empty("dgamma", s.gamma().spec());
            dbeta = b.empty("dbeta", s.gamma().spec());
            b.layerNormBackwardParameters(s.x(), s.mean(), s.rstd(), dy, dgamma, dbeta);
        }
        return new Tensor[] {dx, dgamma, dbeta};
    }
}
