package dev.retrograd.core;

/// Matrix products. Weights are `[O,I]` (out, in), as files have them; `F16`/`BF16` weights are converted as they are read.
public interface MatrixKernels extends ElementwiseKernels {

    /// `y = op(a)·op(b)`, batched.
    ///
    /// @param a `[..., M,K]`, or `[..., K,M]` when `transposeA`
    /// @param b `[..., K,N]`, or `[..., N,K]` when `transposeB`; of rank 2 it is shared by the whole batch
    /// @param y `[..., M,N]`
    void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y);

    /// `y += op(a)·op(b)`; as {@link #matmul}.
    void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y);

    /// `y = x·wᵀ` over rows: x `[..., I]`, w `[O,I]`, y `[..., O]`.
    default void linear(Tensor x, Tensor w, Tensor y) {
        matmul(rows(x), false, w, true, rows(y));
    }

    /// `y = x·wᵀ + bias`; bias `[O]`. An epilogue of the product where the backend has one.
    default void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        linear(x, w, y);
        binary(Binary.ADD, y, bias, y);
    }

    /// `y = f(x·wᵀ + bias)`, f SiLU or GELU in one launch where the backend has it.
    default void linearActivated(Tensor x, Tensor w, Tensor bias, Unary f, Tensor y) {
        linear(x, w, bias, y);
        unary(f, y, y);
    }

    /// `y = x·wᵀ + bias + residual`; the residual is of y's shape and type, and may be y.
    default void linearResidual(Tensor x, Tensor w, Tensor bias, Tensor residual, Tensor y) {
        if (residual == y) {
            matmulAcc(rows(x), false, w, true, rows(y));
            binary(Binary.ADD, y, bias, y);
        } else {
            linear(x, w, bias, y);
            binary(Binary.ADD, y, residual, y);
        }
    }

    /// `xa = x·aᵀ; y += scale·xa·bᵀ`: the low-rank update of a linear layer (LoRA, arXiv 2106.09685), after `y` holds the frozen part.
    ///
    /// @param a `[R,I]`
    /// @param b `[O,R]`
    /// @param xa `[..., R]`, scaled: `scale·x·aᵀ`, which b's gradient reads
    default void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        linear(x, a, xa);
        linearCombination(0, new double[] {scale}, new Tensor[] {xa}, xa);
        matmulAcc(rows(xa), false, b, true, rows(y));
    }

    /// A linear layer with its low-rank update: `y = x·wᵀ; xa = scale·x·aᵀ; y += xa·bᵀ`. One launch where the backend has it.
    ///
    /// @param a `[R,I]`
    /// @param b `[O,R]`
    /// @param xa `[..., R]`, as {@link #loraAcc} leaves it
    default void loraLinear(Tensor x, Tensor w, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        linear(x, w, y);
        loraAcc(x, a, b, scale, xa, y);
    }

    /// The same with a bias, `[O]`.
    default void loraLinear(Tensor x, Tensor w, Tensor bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        linear(x, w, bias, y);
        loraAcc(x, a, b, scale, xa, y);
    }

    /// The gradients of x and of xa: `dxa = scale·dy·b; dx = dy·w + dxa·a`. One launch where the backend has it.
    ///
    /// @param dxa `[..., R]`: the gradient of x·aᵀ, which a's gradient `dxaᵀ·x` reads
    default void loraLinearBackwardInput(Tensor dy, Tensor w, Tensor a, Tensor b, double scale, Tensor dxa, Tensor dx) {
        matmul(rows(dy), false, b, false, rows(dxa));
        linearCombination(0, new double[] {scale}, new Tensor[] {dxa}, dxa);
        matmul(rows(dy), false, w, false, rows(dx));
        matmulAcc(rows(dxa), false, a, false, rows(dx));
    }

    /// All leading axes as one: `[..., C]` to `[rows, C]`.
    static Tensor rows(Tensor x) {
        return x.reshape(Shape.of(Math.toIntExact(x.shape().rows()), x.shape().channels()));
    }
}
