package dev.retrograd.core.cpu;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Tensor;

/// Sizes of an attention, and where a head's rows begin.
///
/// @param keys that there is room for
/// @param lengths how many of them each image has
record AttentionHeads(int images, int heads, int width, int queries, int keys, int[] lengths, float scale, boolean causal) {
    static AttentionHeads of(AttentionSpec spec, Tensor q, Tensor k, int... lengths) {
        return new AttentionHeads(q.dim(0), spec.heads(), q.dim(2) / spec.heads(), q.dim(1), k.dim(1), lengths, (float) spec.scale(), spec.causal());
    }

    int keys(int image) {
        return lengths.length == 0 ? keys : Math.min(keys, lengths[image]);
    }

    long rowBytes() {
        return 4L * heads * width;
    }

    long query(long tensor, int image, int head, int row) {
        return tensor + ((long) image * queries + row) * rowBytes() + 4L * head * width;
    }

    long key(long tensor, int image, int head, int row) {
        return tensor + ((long) image * keys + row) * rowBytes() + 4L * head * width;
    }

    /// In a `[B,heads,N]` tensor.
    long statistic(long tensor, int image, int head, int row) {
        return tensor + (((long) image * heads + head) * queries + row) * 4;
    }
}
