package dev.retrograd.rewards;

import java.util.Arrays;

/// Statistics of paired samples, and least squares.
final class Statistics {
    private Statistics() {
    }

    /// Spearman's rank correlation; ties share their mean rank.
    static double spearman(double[] a, double[] b) {
        double[] ra = ranks(a);
        double[] rb = ranks(b);
        double mean = (a.length + 1) / 2.0;
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += (ra[i] - mean) * (rb[i] - mean);
            aa += (ra[i] - mean) * (ra[i] - mean);
            bb += (rb[i] - mean) * (rb[i] - mean);
        }
        return ab / Math.sqrt(aa * bb);
    }

    private static double[] ranks(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        double[] ranks = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            int below = 0;
            int equal = 0;
            for (double v : sorted) {
                below += v < values[i] ? 1 : 0;
                equal += v == values[i] ? 1 : 0;
            }
            ranks[i] = below + (equal + 1) / 2.0;
        }
        return ranks;
    }

    /// The w that minimises `Σ (rows·w − targets)²`, by the normal equations.
    static double[] leastSquares(double[][] rows, double[] targets) {
        int n = rows[0].length;
        double[][] system = new double[n][n + 1];
        for (int r = 0; r < rows.length; r++) {
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    system[i][j] += rows[r][i] * rows[r][j];
                }
                system[i][n] += rows[r][i] * targets[r];
            }
        }
        // The matrix is positive definite, so that elimination needs no pivoting.
        for (int k = 0; k < n; k++) {
            for (int i = 0; i < n; i++) {
                double factor = i == k ? 0 : system[i][k] / system[k][k];
                for (int j = k; j <= n; j++) {
                    system[i][j] -= factor * system[k][j];
                }
            }
        }
        double[] w = new double[n];
        for (int i = 0; i < n; i++) {
            w[i] = system[i][n] / system[i][i];
        }
        return w;
    }
}
