package dev.retrograd.core;

/// Kernels that treat every element alike. `F32`, `F64` and the 16-bit type of activations; an output may be one of the inputs.
public interface ElementwiseKernels extends Allocator {

    /// `y = f(x)`; any shape.
    void unary(Unary f, Tensor x, Tensor y);

    /// `dx = f'(x)·dy`; any shape.
    void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx);

    /// `y = f(a, b)` with NumPy broadcasting; `y` has the broadcast shape.
    void binary(Binary f, Tensor a, Tensor b, Tensor y);

    /// `y = constant + Σ coefficients[i]·xs[i]`, all of one shape; the DDIM update is one of these. Sums in the order of `xs`.
    void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y);

    /// `y = value` everywhere; any element type.
    void fill(Tensor y, double value);

    /// Copies, converting between any two element types (to a narrower one: nearest, ties to even; to an integer: truncated); same number of elements.
    void convert(Tensor x, Tensor y);

    default Tensor unary(Unary f, Tensor x) {
        Tensor y = empty(f.kind().name().toLowerCase(java.util.Locale.ROOT), x.spec());
        unary(f, x, y);
        return y;
    }

    default Tensor binary(Binary f, Tensor a, Tensor b) {
        Tensor y = empty(f.name().toLowerCase(java.util.Locale.ROOT), new Spec(Shape.broadcast(a.shape(), b.shape()), a.dtype()));
        binary(f, a, b, y);
        return y;
    }

    default Tensor linearCombination(double constant, double[] coefficients, Tensor... xs) {
        Tensor y = empty("linearCombination", xs[0].spec());
        linearCombination(constant, coefficients, xs, y);
        return y;
    }

    /// `y = scale·x`
    default Tensor scaled(Tensor x, double scale) {
        return linearCombination(0, new double[] {scale}, x);
    }
}
