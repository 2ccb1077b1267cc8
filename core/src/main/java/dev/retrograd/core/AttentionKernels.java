package dev.retrograd.core;

/// Scaled dot-product attention over several heads that never forms the N×M matrix in memory.
///
/// Per head of width D = C/heads: `S = scale·q·kᵀ` (+ causal mask), `P = softmax(S)`, `y = P·v`. Source: arXiv 2205.14135.
public interface AttentionKernels extends Allocator {

    /// @param q `[B,N,C]`, k and v `[B,M,C]`, y `[B,N,C]`: head a owns channels `a·D … (a+1)·D − 1`
    /// @param logSumExp `[B,heads,N]` of S's rows, float32 (float64 in a float64 backend): what backward needs to form P again
    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp);

    /// All three gradients, from the forward pass's operands and results.
    ///
    /// @param delta `[B,heads,N]`, workspace: the rows' sums of dy·y
    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv);

    /// The same where images have fewer keys than there is room for: image b's rows see only its first `lengths[b]` keys; the others are padding, which
    /// nothing reads. Rows that see no key at all are zeros, as are their logSumExp and all gradients by them.
    ///
    /// @param lengths `I32 [B]`, 0..M each; with a causal mask a row sees what both masks leave
    void paddedAttention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp);

    /// All three gradients; those of padding are zero.
    void paddedAttentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor lengths, Tensor y, Tensor logSumExp, Tensor dy,
            Tensor delta, Tensor dq, Tensor dk, Tensor dv);
}
