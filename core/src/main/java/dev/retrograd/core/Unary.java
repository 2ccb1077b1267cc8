package dev.retrograd.core;

/// An elementwise function of one number, with its parameters.
///
/// @param kind which function
/// @param p first parameter: lower bound of a clamp, exponent of a power; unread by the others
/// @param q second parameter: upper bound of a clamp; unread by the others
public record Unary(Kind kind, double p, double q) {

    /// `d` is the derivative that {@link ElementwiseKernels#unaryBackward} multiplies with.
    public enum Kind {
        /// x·sigmoid(x)
        SILU,
        /// x·Φ(x) with the exact erf
        GELU,
        /// x·sigmoid(1.702·x)
        QUICK_GELU,
        SIGMOID, TANH,
        /// max(x, 0); d = 0 at 0
        RELU,
        EXP, LOG, SQRT,
        /// |x|; d = 0 at 0
        ABS,
        /// x^p
        POW,
        /// min(max(x, p), q); d = 1 on the closed interval (as torch.clamp)
        CLAMP,
        /// Differentiable rounding r + (x − r)³ with r = x rounded half to even (DRaFT, arXiv 2309.17400, JPEG reward); d = 3·(x − r)²
        ROUND_CUBIC,
        /// x rounded half to even; d = 1 (straight through)
        ROUND_STRAIGHT
    }

    public static final Unary SILU = of(Kind.SILU);
    public static final Unary GELU = of(Kind.GELU);
    public static final Unary QUICK_GELU = of(Kind.QUICK_GELU);
    public static final Unary SIGMOID = of(Kind.SIGMOID);
    public static final Unary TANH = of(Kind.TANH);
    public static final Unary RELU = of(Kind.RELU);
    public static final Unary EXP = of(Kind.EXP);
    public static final Unary LOG = of(Kind.LOG);
    public static final Unary SQRT = of(Kind.SQRT);
    public static final Unary ABS = of(Kind.ABS);
    public static final Unary ROUND_CUBIC = of(Kind.ROUND_CUBIC);
    public static final Unary ROUND_STRAIGHT = of(Kind.ROUND_STRAIGHT);

    private static Unary of(Kind kind) {
        return new Unary(kind, 0, 0);
    }

    public static Unary pow(double exponent) {
        return new Unary(Kind.POW, exponent, 0);
    }

    /// @throws IllegalArgumentException unless low ≤ high
    public static Unary clamp(double low, double high) {
        if (!(low <= high)) {
            throw new IllegalArgumentException("clamp: low must be at most high, got " + low + " and " + high);
        }
        return new Unary(Kind.CLAMP, low, high);
    }
}
