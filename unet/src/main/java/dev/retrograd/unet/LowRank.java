package dev.retrograd.unet;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// The singular value decomposition of a product `B·A` of low rank, found from its factors: never larger than the rank on a side.
///
/// With `B = Q_b·R_b` and `Aᵀ = Q_a·R_a`, the product is `Q_b·(R_b·R_aᵀ)·Q_aᵀ`, whose small core is decomposed by one-sided Jacobi rotations
/// (Golub and Van Loan, Matrix Computations, 8.6). All in float64.
final class LowRank {
    private static final int MOST_SWEEPS = 60;
    private static final double CONVERGED = 1e-15;
    /// A column that keeps less than this share of its length beside the others depends on them.
    private static final double DEPENDENT = 1e-12;

    /// Columns of length 1 that are orthogonal, and what makes the matrix of them, `Q·R`.
    private record Orthogonal(double[][] q, double[][] r) {
    }

    /// @param left columns u, each as long as B's columns
    /// @param right columns v, each as long as A's rows
    /// @param values descending
    record Decomposition(double[][] left, double[][] right, double[] values) {
    }

    private LowRank() {
    }

    /// @param b columns of B
    /// @param a rows of A, as many
    static Decomposition decompose(double[][] b, double[][] a) {
        Orthogonal left = orthogonal(b);
        Orthogonal right = orthogonal(a);
        int m = left.q().length;
        int n = right.q().length;
        // Columns of the core R_b·R_aᵀ, each rotated onto the others until all are orthogonal; the same rotations gather in v.
        double[][] core = new double[n][m];
        for (int j = 0; j < n; j++) {
            for (int i = 0; i < m; i++) {
                for (int k = 0; k < a.length; k++) {
                    core[j][i] += left.r()[i][k] * right.r()[j][k];
                }
            }
        }
        double[][] v = new double[n][n];
        for (int j = 0; j < n; j++) {
            v[j][j] = 1;
        }
        boolean rotated = true;
        for (int sweep = 0; sweep < MOST_SWEEPS && rotated; sweep++) {
            rotated = false;
            for (int p = 0; p < n; p++) {
                for (int q = p + 1; q < n; q++) {
                    rotated |= rotate(core, v, p, q);
                }
            }
        }
        double[] lengths = Arrays.stream(core).mapToDouble(LowRank::length).toArray();
        int[] order = IntStream.range(0, n).boxed().sorted(Comparator.comparingDouble(j -> -lengths[j])).mapToInt(j -> j).limit(Math.min(m, n)).toArray();
        double[][] u = new double[order.length][];
        double[][] w = new double[order.length][];
        double[] values = new double[order.length];
        for (int i = 0; i < order.length; i++) {
            int j = order[i];
            values[i] = lengths[j];
            double[] direction = core[j].clone();
            scale(direction, lengths[j] > 0 ? 1 / lengths[j] : 0);
            u[i] = combine(left.q(), direction);
            w[i] = combine(right.q(), v[j]);
        }
        return new Decomposition(u, w, values);
    }

    /// Makes two columns orthogonal; says whether they were not.
    private static boolean rotate(double[][] core, double[][] v, int p, int q) {
        double pp = dot(core[p], core[p]);
        double qq = dot(core[q], core[q]);
        double pq = dot(core[p], core[q]);
        if (Math.abs(pq) <= CONVERGED * Math.sqrt(pp * qq) || pq == 0) {
            return false;
        }
        double tau = (qq - pp) / (2 * pq);
        double t = Math.copySign(1, tau) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
        double c = 1 / Math.sqrt(1 + t * t);
        turn(core[p], core[q], c, c * t);
        turn(v[p], v[q], c, c * t);
        return true;
    }

    private static void turn(double[] x, double[] y, double c, double s) {
        for (int i = 0; i < x.length; i++) {
            double before = x[i];
            x[i] = c * before - s * y[i];
            y[i] = s * before + c * y[i];
        }
    }

    /// Gram and Schmidt's process, each column cleaned twice, which is enough (Kahan).
    private static Orthogonal orthogonal(double[][] columns) {
        int count = columns.length;
        double[][] q = new double[count][];
        double[][] r = new double[count][count];
        int rank = 0;
        for (int k = 0; k < count; k++) {
            double[] rest = columns[k].clone();
            double whole = length(rest);
            for (int pass = 0; pass < 2; pass++) {
                for (int i = 0; i < rank; i++) {
                    double along = dot(q[i], rest);
                    r[i][k] += along;
                    for (int j = 0; j < rest.length; j++) {
                        rest[j] -= along * q[i][j];
                    }
                }
            }
            double length = length(rest);
            if (length > DEPENDENT * whole) {
                scale(rest, 1 / length);
                r[rank][k] = length;
                q[rank++] = rest;
            }
        }
        return new Orthogonal(Arrays.copyOf(q, rank), Arrays.copyOf(r, rank));
    }

    private static double[] combine(double[][] columns, double[] factors) {
        double[] sum = new double[columns.length == 0 ? 0 : columns[0].length];
        for (int k = 0; k < columns.length; k++) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += factors[k] * columns[k][i];
            }
        }
        return sum;
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }

    private static double length(double[] x) {
        return Math.sqrt(dot(x, x));
    }

    private static void scale(double[] x, double factor) {
        for (int i = 0; i < x.length; i++) {
            x[i] *= factor;
        }
    }
}
