package dev.retrograd.core.cpu;

import dev.retrograd.core.Resampling;
import java.util.Arrays;

/// Resampling of one axis as a sparse matrix: output `o` is `Σ weights[offset[o] + t] · input[first[o] + t]`, `t` up to `offset[o + 1]`.
///
/// Sources: R. Keys, "Cubic convolution interpolation for digital image processing", 1981; the widening of the filter when shrinking is
/// that of PIL. Parity: torch interpolate with align_corners=False, antialias False and True.
record ResizeWeights(int inputs, int outputs, int[] first, int[] offset, float[] weights) {
    private static final double CUBIC = -0.75;
    private static final double CUBIC_ANTIALIAS = -0.5;

    static ResizeWeights of(Resampling how, int inputs, int outputs) {
        double[][] rows = new double[outputs][];
        int[] first = new int[outputs];
        for (int o = 0; o < outputs; o++) {
            rows[o] = how.antialias() ? widened(how.filter(), inputs, outputs, o, first) : nearest(how.filter(), inputs, outputs, o, first);
        }
        return pack(inputs, first, rows);
    }

    /// The 2 or 4 pixels around the source position; what lies outside counts as the border pixel.
    private static double[] nearest(Resampling.Filter filter, int inputs, int outputs, int o, int[] first) {
        double position = (o + 0.5) * inputs / outputs - 0.5;
        int support = switch (filter) {
            case BILINEAR -> 1;
            case BICUBIC -> 2;
        };
        int floor = (int) Math.floor(position);
        int from = floor - support + 1;
        int low = Math.clamp(from, 0, inputs - 1);
        int high = Math.clamp(floor + support, 0, inputs - 1);
        double[] row = new double[high - low + 1];
        for (int i = from; i <= floor + support; i++) {
            row[Math.clamp(i, 0, inputs - 1) - low] += weight(filter, CUBIC, i - position);
        }
        first[o] = low;
        return row;
    }

    /// All pixels under the filter, which widens by the factor of shrinking; weights are normalised, so that borders do not darken.
    private static double[] widened(Resampling.Filter filter, int inputs, int outputs, int o, int[] first) {
        double scale = Math.max(1, (double) inputs / outputs);
        double support = scale * switch (filter) {
            case BILINEAR -> 1;
            case BICUBIC -> 2;
        };
        double centre = (o + 0.5) * inputs / outputs;
        int low = Math.max(0, (int) (centre - support + 0.5));
        int high = Math.min(inputs, (int) (centre + support + 0.5));
        double[] row = new double[high - low];
        double sum = 0;
        for (int t = 0; t < row.length; t++) {
            row[t] = weight(filter, CUBIC_ANTIALIAS, (low + t + 0.5 - centre) / scale);
            sum += row[t];
        }
        for (int t = 0; t < row.length; t++) {
            row[t] /= sum;
        }
        first[o] = low;
        return row;
    }

    private static double weight(Resampling.Filter filter, double a, double distance) {
        double x = Math.abs(distance);
        return switch (filter) {
            case BILINEAR -> Math.max(0, 1 - x);
            case BICUBIC -> x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
        };
    }

    private static ResizeWeights pack(int inputs, int[] first, double[][] rows) {
        int[] offset = new int[rows.length + 1];
        for (int o = 0; o < rows.length; o++) {
            offset[o + 1] = offset[o] + rows[o].length;
        }
        float[] weights = new float[offset[rows.length]];
        for (int o = 0; o < rows.length; o++) {
            for (int t = 0; t < rows[o].length; t++) {
                weights[offset[o] + t] = (float) rows[o][t];
            }
        }
        return new ResizeWeights(inputs, rows.length, first, offset, weights);
    }

    /// The adjoint: the same weights from outputs to inputs. The outputs that read an input follow one another, since windows move forward only.
    ResizeWeights transposed() {
        int[] low = new int[inputs];
        int[] high = new int[inputs];
        Arrays.fill(low, outputs);
        for (int o = 0; o < outputs; o++) {
            for (int i = first[o]; i < first[o] + taps(o); i++) {
                low[i] = Math.min(low[i], o);
                high[i] = Math.max(high[i], o + 1);
            }
        }
        double[][] rows = new double[inputs][];
        for (int i = 0; i < inputs; i++) {
            low[i] = Math.min(low[i], high[i]);
            rows[i] = new double[high[i] - low[i]];
            for (int o = low[i]; o < high[i]; o++) {
                int t = i - first[o];
                rows[i][o - low[i]] = t >= 0 && t < taps(o) ? weights[offset[o] + t] : 0;
            }
        }
        return pack(outputs, low, rows);
    }

    private int taps(int o) {
        return offset[o + 1] - offset[o];
    }
}
