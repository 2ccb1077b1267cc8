package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;

/// The elementwise functions of float64, one number at a time; float32 takes this way for powers other than 2.
///
/// `StrictMath`, since `Math` may answer differently once compiled.
final class UnaryScalars {
    private static final double QUICK = 1.702;

    private UnaryScalars() {
    }

    /// `y = f(x)` for n float32 elements, computed in float64.
    static void run(Unary f, MemorySegment x, MemorySegment y, int n) {
        for (int i = 0; i < n; i++) {
            y.set(JAVA_FLOAT_UNALIGNED, i * 4L, (float) value(f, x.get(JAVA_FLOAT_UNALIGNED, i * 4L)));
        }
    }

    /// `dx = f'(x)·dy` for n float32 elements, computed in float64.
    static void runBackward(Unary f, MemorySegment x, MemorySegment dy, MemorySegment dx, int n) {
        for (int i = 0; i < n; i++) {
            double d = slope(f, x.get(JAVA_FLOAT_UNALIGNED, i * 4L)) * dy.get(JAVA_FLOAT_UNALIGNED, i * 4L);
            dx.set(JAVA_FLOAT_UNALIGNED, i * 4L, (float) d);
        }
    }

    /// `y = f(x)` for n float64 elements.
    static void runDouble(Unary f, MemorySegment x, MemorySegment y, int n) {
        for (int i = 0; i < n; i++) {
            y.set(JAVA_DOUBLE_UNALIGNED, i * 8L, value(f, x.get(JAVA_DOUBLE_UNALIGNED, i * 8L)));
        }
    }

    /// `dx = f'(x)·dy` for n float64 elements.
    static void runDoubleBackward(Unary f, MemorySegment x, MemorySegment dy, MemorySegment dx, int n) {
        for (int i = 0; i < n; i++) {
            double d = slope(f, x.get(JAVA_DOUBLE_UNALIGNED, i * 8L)) * dy.get(JAVA_DOUBLE_UNALIGNED, i * 8L);
            dx.set(JAVA_DOUBLE_UNALIGNED, i * 8L, d);
        }
    }

    static double value(Unary f, double x) {
        return switch (f.kind()) {
            case SILU -> x * sigmoid(x);
            case GELU -> x * normalCdf(x);
            case QUICK_GELU -> x * sigmoid(QUICK * x);
            case SIGMOID -> sigmoid(x);
            case TANH -> StrictMath.tanh(x);
            case RELU -> Math.max(x, 0);
            case EXP -> StrictMath.exp(x);
            case LOG -> StrictMath.log(x);
            case SQRT -> Math.sqrt(x);
            case ABS -> Math.abs(x);
            case POW -> StrictMath.pow(x, f.p());
            case CLAMP -> Math.min(Math.max(x, f.p()), f.q());
            case ROUND_CUBIC -> cube(x - Math.rint(x)) + Math.rint(x);
            case ROUND_STRAIGHT -> Math.rint(x);
        };
    }

    static double slope(Unary f, double x) {
        return switch (f.kind()) {
            case SILU -> gatedSlope(sigmoid(x), x);
            case GELU -> normalCdf(x) + x * StrictMath.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case QUICK_GELU -> gatedSlope(sigmoid(QUICK * x), QUICK * x);
            case SIGMOID -> sigmoid(x) * sigmoid(-x);
            case TANH -> 1 - StrictMath.tanh(x) * StrictMath.tanh(x);
            case RELU -> x > 0 ? 1 : 0;
            case EXP -> StrictMath.exp(x);
            case LOG -> 1 / x;
            case SQRT -> 0.5 / Math.sqrt(x);
            case ABS -> Math.signum(x);
            case POW -> f.p() == 0 ? 0 : f.p() * StrictMath.pow(x, f.p() - 1);
            case CLAMP -> x >= f.p() && x <= f.q() ? 1 : 0;
            case ROUND_CUBIC -> 3 * (x - Math.rint(x)) * (x - Math.rint(x));
            case ROUND_STRAIGHT -> 1;
        };
    }

    /// The derivative of `x·sigmoid(x)`, with s the sigmoid at x.
    private static double gatedSlope(double s, double x) {
        return s * (1 + x * (1 - s));
    }

    private static double cube(double x) {
        return x * x * x;
    }

    private static double sigmoid(double x) {
        return 1 / (1 + StrictMath.exp(-x));
    }

    private static double normalCdf(double x) {
        double half = erfc(Math.abs(x) * Math.sqrt(0.5)) / 2;
        return x < 0 ? half : 1 - half;
    }

    /// 1 − erf(a) for a ≥ 0: erf's Taylor series below 2, above it the continued fraction of erfc, both to float64 accuracy.
    static double erfc(double a) {
        if (a < 2) {
            double term = a;
            double sum = a;
            for (int n = 1; Math.abs(term) > 1e-18; n++) {
                term *= -a * a / n;
                sum += term / (2 * n + 1);
            }
            return 1 - 2 / Math.sqrt(Math.PI) * sum;
        }
        double fraction = a;
        for (int k = 120; k > 0; k--) {
            fraction = a + k / 2.0 / fraction;
        }
        return StrictMath.exp(-a * a) / Math.sqrt(Math.PI) / fraction;
    }
}
