package dev.retrograd.core;

import java.util.List;

/// Kernels that update weights. Parameters, moments and gradients are float32.
public interface OptimizerKernels extends ElementwiseKernels {

    /// One AdamW step on one parameter; p, m and v are updated in place. Source: arXiv 1711.05101. Parity: torch.optim.AdamW.
    ///
    /// With `g = gradientScale·grad`: `p *= 1 − lr·wd; m = β₁m + (1 − β₁)g; v = β₂v + (1 − β₂)g²; p −= lr/(1 − β₁ᵗ) · m/(√v/√(1 − β₂ᵗ) + ε)`.
    ///
    /// @param gradientScale `F32 []`: the clipping factor
    void adamw(AdamWStep step, Tensor grad, Tensor gradientScale, Tensor p, Tensor m, Tensor v);

    /// The same step on many parameters, in one launch where the backend can.
    default void adamw(AdamWStep step, Tensor gradientScale, List<AdamWWeight> weights) {
        for (AdamWWeight w : weights) {
            adamw(step, w.grad(), gradientScale, w.p(), w.m(), w.v());
        }
    }

    /// `averages[i] = decay·averages[i] + (1 − decay)·values[i]`, in one launch where the backend can.
    default void average(double decay, List<Tensor> averages, List<Tensor> values) {
        for (int i = 0; i < averages.size(); i++) {
            linearCombination(0, new double[] {decay, 1 - decay}, new Tensor[] {averages.get(i), values.get(i)}, averages.get(i));
        }
    }

    /// `y = min(1, maxNorm/(norm + 1e-6))`, the factor of torch.nn.utils.clip_grad_norm_; norm and y are `F32 []`.
    void clipFactor(Tensor norm, double maxNorm, Tensor y);

    /// The hyperparameters of one step.
    ///
    /// @param t number of this step, from 1
    record AdamWStep(double learningRate, double beta1, double beta2, double eps, double weightDecay, long t) {
    }

    /// A parameter p with its gradient and its moments m and v, all of one shape.
    record AdamWWeight(Tensor grad, Tensor p, Tensor m, Tensor v) {
    }
}
