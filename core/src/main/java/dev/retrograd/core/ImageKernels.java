package dev.retrograd.core;

/// Resampling of channels-last images `[B,H,W,C]`.
public interface ImageKernels extends Allocator {

    /// Every pixel `factor` times in both directions: y `[B, H·factor, W·factor, C]`. Parity: torch interpolate, mode nearest.
    void upsampleNearest(int factor, Tensor x, Tensor y);

    /// `dx` sums dy over each pixel's copies.
    void upsampleNearestBackward(int factor, Tensor dy, Tensor dx);

    /// Resamples to y's height and width with half-pixel centres. Parity: torch interpolate with align_corners=False.
    void resize(Resampling how, Tensor x, Tensor y);

    /// The adjoint: dx from dy.
    void resizeBackward(Resampling how, Tensor dy, Tensor dx);
}
