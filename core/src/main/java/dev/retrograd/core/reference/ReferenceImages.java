package dev.retrograd.core.reference;

import dev.retrograd.core.ImageKernels;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Tensor;

/// Resampling as an explicit matrix per direction: `y[p,q] = Σ V[p,h]·W[q,w]·x[h,w]`.
interface ReferenceImages extends ImageKernels {

    @Override default void upsampleNearest(int factor, Tensor x, Tensor y) {
        apply(repetition(x.dim(1), factor), repetition(x.dim(2), factor), x, y, false);
    }

    @Override default void upsampleNearestBackward(int factor, Tensor dy, Tensor dx) {
        apply(repetition(dx.dim(1), factor), repetition(dx.dim(2), factor), dx, dy, true);
    }

    @Override default void resize(Resampling how, Tensor x, Tensor y) {
        apply(weights(how, x.dim(1), y.dim(1)), weights(how, x.dim(2), y.dim(2)), x, y, false);
    }

    @Override default void resizeBackward(Resampling how, Tensor dy, Tensor dx) {
        apply(weights(how, dx.dim(1), dy.dim(1)), weights(how, dx.dim(2), dy.dim(2)), dx, dy, true);
    }

    /// Forward reads `input` and writes `output`; the adjoint reads `output` and writes `input`.
    private static void apply(double[][] vertical, double[][] horizontal, Tensor input, Tensor output, boolean adjoint) {
        Values in = Values.of(input);
        Values out = Values.of(output);
        (adjoint ? in : out).fill(0);
        int channels = input.dim(3);
        for (int b = 0; b < input.dim(0); b++) {
            for (int p = 0; p < output.dim(1); p++) {
                for (int q = 0; q < output.dim(2); q++) {
                    for (int h = 0; h < input.dim(1); h++) {
                        for (int w = 0; w < input.dim(2); w++) {
                            double weight = vertical[p][h] * horizontal[q][w];
                            if (weight == 0) {
                                continue;
                            }
                            for (int c = 0; c < channels; c++) {
                                int i = ((b * input.dim(1) + h) * input.dim(2) + w) * channels + c;
                                int o = ((b * output.dim(1) + p) * output.dim(2) + q) * channels + c;
                                if (adjoint) {
                                    in.add(i, weight * out.get(o));
                                } else {
                                    out.add(o, weight * in.get(i));
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static double[][] repetition(int size, int factor) {
        double[][] w = new double[size * factor][size];
        for (int p = 0; p < w.length; p++) {
            w[p][p / factor] = 1;
        }
        return w;
    }

    private static double[][] weights(Resampling how, int from, int to) {
        double[][] w = new double[to][from];
        for (int p = 0; p < to; p++) {
            if (how.antialias()) {
                antialiased(how.filter(), (double) from / to, p, w[p]);
            } else {
                interpolated(how.filter(), (double) from / to, p, w[p]);
            }
        }
        return w;
    }

    /// The 2 or 4 pixels around the source position; pixels beyond the border are the border's.
    private static void interpolated(Resampling.Filter filter, double scale, int p, double[] w) {
        double source = scale * (p + 0.5) - 0.5;
        int last = w.length - 1;
        int base = (int) Math.floor(source);
        int reach = filter == Resampling.Filter.BILINEAR ? 1 : 2;
        for (int i = base - reach + 1; i <= base + reach; i++) {
            w[Math.clamp(i, 0, last)] += kernel(filter, -0.75, i - source);
        }
    }

    /// All pixels under the filter, widened by the factor when shrinking, normalised to sum 1.
    private static void antialiased(Resampling.Filter filter, double scale, int p, double[] w) {
        double centre = scale * (p + 0.5);
        double widening = Math.max(scale, 1);
        double support = (filter == Resampling.Filter.BILINEAR ? 1 : 2) * widening;
        int first = Math.max((int) (centre - support + 0.5), 0);
        int end = Math.min((int) (centre + support + 0.5), w.length);
        double sum = 0;
        for (int i = first; i < end; i++) {
            w[i] = kernel(filter, -0.5, (i + 0.5 - centre) / widening);
            sum += w[i];
        }
        for (int i = first; i < end; i++) {
            w[i] /= sum;
        }
    }

    /// The triangle, or cubic convolution with parameter a (Keys 1981).
    private static double kernel(Resampling.Filter filter, double a, double distance) {
        double t = Math.abs(distance);
        return switch (filter) {
            case BILINEAR -> Math.max(0, 1 - t);
            case BICUBIC -> t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
        };
    }
}
