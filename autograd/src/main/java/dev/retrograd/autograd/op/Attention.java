package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Multi-head attention `softmax(scale·q·kᵀ)·v`: q `[B,N,C]`, k and v `[B,M,C]`, y `[B,N,C]`; heads share the channels.
///
/// Saves q, k, v, y and the rows' log-sum-exp, never the N×M matrix. Source: arXiv 2205.14135. Parity: torch scaled_dot_product_attention.
public record Attention(AttentionSpec how) implements Op<Attention.Saved> {

    public record Saved(Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 3, in);
        Shape q = in[0].shape();
        Shape k = in[1].shape();
        Check.shape(q.rank() == 3 && k.rank() == 3 && q.dim(0) == k.dim(0) && q.dim(2) == k.dim(2), name(), "q must be [B,N,C] and k [B,M,C]", in[0], in[1]);
        Check.shape(k.equals(in[2].shape()), name(), "v must have k's shape " + k, in[2]);
        Check.shape(q.dim(2) % how.heads() == 0, name(), "channels must divide by " + how.heads() + " heads", in[0]);
        return in[0];
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), in[0].spec());
        Tensor lse = b.empty("logSumExp", statistics(how, in[0]));
        b.attention(how, in[0], in[1], in[2], y, lse);
        return new Out<>(y, needs.any(0, 1, 2) ? new Saved(in[0], in[1], in[2], y, lse) : null);
    }

    /// A number for each row of each head.
    static Spec statistics(AttentionSpec how, Tensor q) {
        return new Spec(Shape.of(q.dim(0), how.heads(), q.dim(1)), DType.F32);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        return s.k().dim(1) == 1 ? oneKey(b, s, dy, needs) : manyKeys(b, s, dy);
    }

    /// A single key has weight 1 whatever q and k are: their gradients are exactly 0. Rounding noise in their place would be as good as a
    /// gradient to Adam, which divides by its size.
    private static Tensor[] oneKey(Backend b, Saved s, Tensor dy, Needs needs) {
        return new Tensor[] {needs.of(0) ? b.zeros("dq", s.q().spec()) : null, needs.of(1) ? b.zeros("dk", s.k().spec()) : null,
            needs.of(2) ? b.sumTo(dy, 1, s.v().shape()) : null};
    }

    private Tensor[] manyKeys(Backend b, Saved s, Tensor dy) {
        Tensor delta = b.empty("delta", statistics(how, s.q()));
        Tensor dq = b.empty("dq", s.q().spec());
        Tensor dk = b.empty("dk", s.k().spec());
        Tensor dv = b.empty("dv", s.v().spec());
        b.attentionBackward(how, s.q(), s.k(), s.v(), s.y(), s.logSumExp(), dy, delta, dq, dk, dv);
        return new Tensor[] {dq, dk, dv};
    }
}
