package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Attention;
import dev.retrograd.core.AttentionSpec;
import java.util.List;
import java.util.stream.Stream;

/// Multi-head attention with its four projections; self-attention when keys come from the queries' rows. Source: arXiv 1706.03762.
///
/// @param causal whether row n sees only rows 0..n
public record MultiHeadAttention(int heads, boolean causal, Linear toQ, Linear toK, Linear toV, Linear toOut) {

    /// @param x `[B,N,C]`
    /// @param context `[B,M,D]`: where keys and values come from; x itself for self-attention
    /// @return `[B,N,C]`, without the residual
    public Var forward(Var x, Var context) {
        double scale = 1 / Math.sqrt((double) toQ.outFeatures() / heads);
        Var attended = toQ.forward(x).apply(new Attention(new AttentionSpec(heads, scale, causal)), toK.forward(context), toV.forward(context));
        return toOut.forward(attended);
    }

    /// The projections, in the order q, k, v, out.
    public List<Linear> linears() {
        return Stream.of(toQ, toK, toV, toOut).toList();
    }
}
