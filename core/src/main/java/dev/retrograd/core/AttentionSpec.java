package dev.retrograd.core;

/// What attention needs beside its tensors.
///
/// @param heads how many heads share the channels
/// @param scale factor of the scores, usually 1/√(head width)
/// @param causal whether row n sees only keys 0..n
public record AttentionSpec(int heads, double scale, boolean causal) {
    public AttentionSpec {
        if (heads < 1) {
            throw new IllegalArgumentException("attention: heads must be 1 or more, got " + heads);
        }
        if (!Double.isFinite(scale)) {
            throw new IllegalArgumentException("attention: scale must be finite, got " + scale);
        }
    }
}
