package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// {@link Attention} in a batch of texts of several lengths: of its M keys, sample b has the first `lengths[b]`, and nothing reads the others.
///
/// Inputs: q `[B,N,C]`, k and v `[B,M,C]`, lengths `I32 [B]` of 0..M. A row that sees no key is 0, and so is every gradient by it.
/// Parity: torch scaled_dot_product_attention with a boolean mask over keys.
public record PaddedAttention(AttentionSpec how) implements Op<PaddedAttention.Saved> {

    public record Saved(Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 4, in);
        Spec y = new Attention(how).out(in[0], in[1], in[2]);
        Check.shape(in[3].shape().equals(Shape.of(y.shape().dim(0))), name(), "lengths must be [" + y.shape().dim(0) + "]", in[3]);
        if (in[3].dtype() != DType.I32) {
            throw new DTypeException(name() + ": lengths must be I32, got " + in[3]);
        }
        return y;
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), in[0].spec());
        Tensor lse = b.empty("logSumExp", Attention.statistics(how, in[0]));
        b.paddedAttention(how, in[0], in[1], in[2], in[3], y, lse);
        return new Out<>(y, needs.any(0, 1, 2) ? new Saved(in[0], in[1], in[2], in[3], y, lse) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor delta = b.empty("delta", Attention.statistics(how, s.q()));
        Tensor dq = b.empty("dq", s.q().spec());
        Tensor dk = b.empty("dk", s.k().spec());
        Tensor dv = b.empty("dv", s.v().spec());
        b.paddedAttentionBackward(how, s.q(), s.k(), s.v(), s.lengths(), s.y(), s.logSumExp(), dy, delta, dq, dk, dv);
        return new Tensor[] {dq, dk, dv, null};
    }
}
