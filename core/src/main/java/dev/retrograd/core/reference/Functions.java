package dev.retrograd.core.reference;

import dev.retrograd.core.Binary;
import dev.retrograd.core.Unary;

/// Scalar functions and derivatives in float64.
final class Functions {
    private static final double QUICK_GELU_SLOPE = 1.702;

    private Functions() {
    }

    static double value(Unary f, double x) {
        return switch (f.kind()) {
            case SILU -> x * sigmoid(x);
            case GELU -> x * normalCdf(x);
            case QUICK_GELU -> x * sigmoid(QUICK_GELU_SLOPE * x);
            case SIGMOID -> sigmoid(x);
            case TANH -> Math.tanh(x);
            case RELU -> Math.max(x, 0);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SQRT -> Math.sqrt(x);
            case ABS -> Math.abs(x);
            case POW -> Math.pow(x, f.p());
            case CLAMP -> Math.min(Math.max(x, f.p()), f.q());
            case ROUND_CUBIC -> Math.rint(x) + Math.pow(x - Math.rint(x), 3);
            case ROUND_STRAIGHT -> Math.rint(x);
        };
    }

    static double derivative(Unary f, double x) {
        return switch (f.kind()) {
            case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
            case GELU -> normalCdf(x) + x * normalDensity(x);
            case QUICK_GELU -> {
                double s = sigmoid(QUICK_GELU_SLOPE * x);
                yield s * (1 + QUICK_GELU_SLOPE * x * (1 - s));
            }
            case SIGMOID -> sigmoid(x) * (1 - sigmoid(x));
            case TANH -> 1 - Math.tanh(x) * Math.tanh(x);
            case RELU -> x > 0 ? 1 : 0;
            case EXP -> Math.exp(x);
            case LOG -> 1 / x;
            case SQRT -> 0.5 / Math.sqrt(x);
            case ABS -> Math.signum(x);
            case POW -> f.p() == 0 ? 0 : f.p() * Math.pow(x, f.p() - 1);
            case CLAMP -> f.p() <= x && x <= f.q() ? 1 : 0;
            case ROUND_CUBIC -> 3 * (x - Math.rint(x)) * (x - Math.rint(x));
            case ROUND_STRAIGHT -> 1;
        };
    }

    static double value(Binary f, double a, double b) {
        return switch (f) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case MAX -> Math.max(a, b);
            case MIN -> Math.min(a, b);
        };
    }

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double normalCdf(double x) {
        return 0.5 * (1 + erf(x / Math.sqrt(2)));
    }

    private static double normalDensity(double x) {
        return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    }

    /// The error function by its series `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`, whose terms all have one sign (DLMF 7.6.2).
    static double erf(double x) {
        if (Math.abs(x) > 6) {
            return Math.signum(x); // 1 − erf(6) is 2e-17
        }
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }
}
