package dev.retrograd.core.testing;

import java.util.function.UnaryOperator;

/// Numeric gradients in float64, the independent check of every analytic one.
public final class CentralDifferences {
    private static final double STEP = 1e-5;

    private CentralDifferences() {
    }

    /// The gradient of `Σ dy·f(x)` at x, element by element: `Σ dy·(f(x + h) − f(x − h)) / 2h`.
    ///
    /// @param f leaves its argument as it is
    public static double[] gradient(UnaryOperator<double[]> f, double[] x, double[] dy) {
        double[] gradient = new double[x.length];
        double[] moved = x.clone();
        for (int i = 0; i < x.length; i++) {
            double h = STEP * Math.max(1, Math.abs(x[i]));
            moved[i] = x[i] + h;
            double[] above = f.apply(moved);
            moved[i] = x[i] - h;
            double[] below = f.apply(moved);
            moved[i] = x[i];
            for (int j = 0; j < dy.length; j++) {
                gradient[i] += dy[j] * (above[j] - below[j]) / (2 * h);
            }
        }
        return gradient;
    }
}
