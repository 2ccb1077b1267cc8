package dev.retrograd.core;

/// Normalisations, softmax and the gated GELU: kernels that walk rows of channels. Statistics are float32 or better (float64 in a float64 backend).
public interface NormKernels extends ElementwiseKernels {

    /// Group normalisation over rows and the channels of each of `groups` groups, per image: `y = gamma·(x − mean)·rstd + beta`.
    ///
    /// Variance is the biased one, `rstd = 1/√(var + eps)`. Parity: torch.nn.functional.group_norm.
    ///
    /// @param x `[B,...,C]`; gamma, beta `[C]`; mean, rstd `[B,groups]`
    void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd);

    /// The gradient of x; `dx` may be `dy`.
    void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx);

    /// The gradients of gamma and beta, `[C]` each.
    void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta);

    /// `y = silu(groupNorm(x))` in one pass where the backend can.
    default void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        groupNorm(groups, eps, x, gamma, beta, y, mean, rstd);
        unary(Unary.SILU, y, y);
    }

    /// The gradient of `silu(groupNorm(x))` at its inner value: `dz = silu'(z)·dy` with `z = gamma·(x − mean)·rstd + beta`; `dz` may be `dy`.
    ///
    /// Then {@link #groupNormBackward} takes dz to dx, and {@link #groupNormBackwardParameters} to dgamma and dbeta.
    void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz);

    /// The gradient of x of `silu(groupNorm(x))`, where gamma and beta need none: in one pass where the backend can; `dx` may be `dy`.
    default void groupNormSiluBackwardInput(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        groupNormSiluBackward(x, gamma, beta, mean, rstd, dy, dx);
        groupNormBackward(x, gamma, mean, rstd, dx, dx);
    }

    /// Layer normalisation of every row: x `[..., C]`, gamma and beta `[C]`, mean and rstd `[rows]`. Parity: torch.nn.functional.layer_norm.
    void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd);

    /// The gradient of x.
    void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx);

    /// The gradients of gamma and beta, `[C]` each.
    void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta);

    /// Softmax over the last axis.
    void softmax(Tensor x, Tensor y);

    /// `dx = y·(dy − Σ y·dy)` per row, from the forward result y.
    void softmaxBackward(Tensor y, Tensor dy, Tensor dx);

    /// `y = value·gelu(gate)` (erf) with `[value, gate]` the halves of x's last axis: x `[..., 2C]`, y `[..., C]`. Parity: diffusers GEGLU.
    void geglu(Tensor x, Tensor y);

    /// The gradient of x, `[..., 2C]`.
    void gegluBackward(Tensor x, Tensor dy, Tensor dx);
}
