package dev.retrograd.core;

/// Kernels that move elements without arithmetic (but for adding where rows meet).
public interface ShapeKernels extends Allocator {

    /// `y` is x with its axes reordered: axis i of y is axis `axes[i]` of x. Rank 6 at most; any element type.
    void permute(Tensor x, int[] axes, Tensor y);

    /// Copies entries `xStart … xStart + count − 1` of x's axis to entries `yStart …` of y's; the other axes agree. Concatenation and slicing are made of it. Any element type.
    void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count);

    /// `y[i] = table[ids[i]]`: table `[V,C]`, ids `I32 [...]` within 0..V−1, y `[..., C]`. A table of 16 bits gives rows of its own type or `F32`.
    void gatherRows(Tensor table, Tensor ids, Tensor y);

    /// `dtable = 0; dtable[ids[i]] += dy[i]`, in the order of i: the adjoint of {@link #gatherRows}.
    void scatterRows(Tensor dy, Tensor ids, Tensor dtable);
}
