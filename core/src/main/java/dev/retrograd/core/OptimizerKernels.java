package dev.retrograd.core;

/// Kernels that update weights. Parameters, moments and gradients are float32.
public interface OptimizerKernels extends Allocator {

    /// One AdamW step on one parameter; p, m and v are updated in place. Source: arXiv 1711.05101. Parity: torch.optim.AdamW.
    ///
    /// With `g = gradientScale·grad`: `p *= 1 − lr·wd; m = β₁m + (1 − β₁)g; v = β₂v + (1 − β₂)g²; p −= lr/(1 − β₁ᵗ) · m/(√v/√(1 − β₂ᵗ) + ε)`.
    ///
    /// @param gradientScale `F32 []`: the clipping factor
    void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v);

    /// `y = min(1, maxNorm/(norm + 1e-6))`, the factor of torch.nn.utils.clip_grad_norm_; norm and y are `F32 []`.
    void clipFactor(Tensor norm, double maxNorm, Tensor y);

    /// The hyperparameters of one step.
    ///
    /// @param t number of this step, from 1
    record AdamWStep(double learningRate, double beta1, double beta2, double eps, double weightDecay, long t) {
    }
}
