package dev.retrograd.core;

import java.util.List;

/// Kernels that sum, and the broadcast that is their adjoint. Sums run in a fixed order over fixed chunks, accumulated in float64 or pairwise.
public interface ReductionKernels extends Allocator {

    /// `y = scale · (sum of x over the axes that y's shape broadcasts along)`; `y.shape().broadcastsTo(x.shape())`. `F32`, `F64` and the
    /// 16-bit type of activations; of those, y may be `F32`.
    ///
    /// `[B,H,W,C]` to `[C]` is a bias gradient, to `[B,1,1,1]` a sum per image, to `[]` the total.
    void sumTo(Tensor x, double scale, Tensor y);

    /// `y = scale · x` repeated along the axes that x's shape broadcasts along; `x.shape().broadcastsTo(y.shape())`.
    void broadcastTo(Tensor x, double scale, Tensor y);

    /// `y[0] = sqrt(Σ over all tensors and elements of x²)`: the global norm; `y` is `F32 []`.
    void globalNorm(List<Tensor> xs, Tensor y);

    default Tensor sumTo(Tensor x, double scale, Shape shape) {
        Tensor y = empty("sum", x.spec().with(shape));
        sumTo(x, scale, y);
        return y;
    }

    default Tensor broadcastTo(Tensor x, double scale, Shape shape) {
        Tensor y = empty("broadcast", x.spec().with(shape));
        broadcastTo(x, scale, y);
        return y;
    }
}
