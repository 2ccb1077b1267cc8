package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Group normalisation, optionally followed by SiLU in the same pass; inputs x `[B,...,C]`, gamma `[C]`, beta `[C]`.
///
/// Saves x and the statistics `[B,groups]`, not the result. Source: arXiv 1803.08494. Parity: torch.nn.functional.group_norm (then silu).
///
/// @param eps added to the variance
/// @param silu whether SiLU follows
public record GroupNorm(int groups, double eps, boolean silu) implements Op<GroupNorm.Saved> {

    public record Saved(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd) {
    }

    @Override public String name() {
        return silu ? "groupNormSilu" : "groupNorm";
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 3, in);
        Shape x = in[0].shape();
        Check.shape(x.rank() >= 2, name(), "x must be [B,...,C]", in[0]);
        Check.shape(groups >= 1 && x.channels() % groups == 0, name(), "channels must divide by " + groups + " groups", in[0]);
        Check.vector(name(), "gamma", x.channels(), in[1]);
        Check.vector(name(), "beta", x.channels(), in[2]);
        return in[0];
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), in[0].spec());
        Spec statistics = new Spec(Shape.of(in[0].dim(0), groups), DType.F32);
        Tensor mean = b.empty("mean", statistics);
        Tensor rstd = b.empty("rstd", statistics);
        if (silu) {
            b.groupNormSilu(groups, eps, in[0], in[1], in[2], y, mean, rstd);
        } else {
            b.groupNorm(groups, eps, in[0], in[1], in[2], y, mean, rstd);
        }
        return new Out<>(y, needs.any(0, 1, 2) ? new Saved(in[0], in[1], in[2], mean, rstd) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        if (silu && !needs.any(1, 2)) {
            Tensor dx = b.empty("dx", s.x().spec());
            b.groupNormSiluBackwardInput(s.x(), s.gamma(), s.beta(), s.mean(), s.rstd(), dy, dx);
            return new Tensor[] {dx, null, null};
        }
        Tensor dz = dy;
        if (silu) {
            dz = b.empty("dz", dy.spec());
            b.groupNormSiluBackward(s.x(), s.gamma(), s.beta(), s.mean(), s.rstd(), dy, dz);
        }
        Tensor dgamma = null;
        Tensor dbeta = null;
        if (needs.any(1, 2)) {
            dgamma = b.empty("dgamma", s.gamma().spec());
            dbeta = b.empty("dbeta", s.beta().spec());
            b.groupNormBackwardParameters(s.x(), s.mean(), s.rstd(), dz, dgamma, dbeta);
        }
        Tensor dx = null;
        if (needs.of(0)) {
            dx = silu ? dz : b.empty("dx", s.x().spec());
            b.groupNormBackward(s.x(), s.gamma(), s.mean(), s.rstd(), dz, dx);
        }
        return new Tensor[] {dx, dgamma, dbeta};
    }
}
