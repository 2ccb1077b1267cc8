package dev.retrograd.benchmarks;

import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/// Normalisations of one image: bound by memory.
public class NormBenchmark extends DeviceBenchmark {
    private static final int GROUPS = 32;
    private static final double EPS = 1e-5;

    /// Rows and columns, channels.
    public enum Place {
        DOWN0_64X64_C320(64, 320),
        DOWN1_32X32_C640(32, 640),
        DOWN2_16X16_C1280(16, 1280),
        VAE_512X512_C128(512, 128);

        final int size;
        final int channels;

        Place(int size, int channels) {
            this.size = size;
            this.channels = channels;
        }
    }

    @Param public Place place;

    private Tensor x;
    private Tensor y;
    private Tensor dy;
    private Tensor dx;
    private Tensor gamma;
    private Tensor beta;
    private Tensor mean;
    private Tensor rstd;
    private Tensor rowMean;
    private Tensor rowRstd;

    @Override void prepare() {
        int[] image = {1, place.size, place.size, place.channels};
        x = tensors.next(image);
        dy = tensors.next(image);
        y = tensors.empty(image);
        dx = tensors.empty(image);
        gamma = tensors.vector(place.channels);
        beta = tensors.vector(place.channels);
        mean = tensors.vector(1, GROUPS);
        rstd = tensors.vector(1, GROUPS);
        rowMean = tensors.vector(place.size * place.size);
        rowRstd = tensors.vector(place.size * place.size);
        device.layerNorm(EPS, x, gamma, beta, y, rowMean, rowRstd);
        device.groupNormSilu(GROUPS, EPS, x, gamma, beta, y, mean, rstd);
        float[] xs = device.toFloats(x);
        float[] gammas = device.toFloats(gamma);
        float[] betas = device.toFloats(beta);
        float[] means = device.toFloats(mean);
        float[] rstds = device.toFloats(rstd);
        tensors.check("groupNormSilu", device.toFloats(y), i -> {
            int channel = i % place.channels;
            int group = channel / (place.channels / GROUPS);
            double z = (xs[i] - means[group]) * (double) rstds[group] * gammas[channel] + betas[channel];
            return z / (1 + Math.exp(-z));
        });
    }

    @Benchmark public void groupNormSilu(Rate rate) {
        device.groupNormSilu(GROUPS, EPS, x, gamma, beta, y, mean, rstd);
        ran(rate, 0, x, y);
    }

    @Benchmark public void groupNormSiluBackward(Rate rate) {
        device.groupNormSiluBackwardInput(x, gamma, beta, mean, rstd, dy, dx);
        ran(rate, 0, x, dy, dx);
    }

    @Benchmark public void layerNorm(Rate rate) {
        device.layerNorm(EPS, x, gamma, beta, y, rowMean, rowRstd);
        ran(rate, 0, x, y);
    }

    @Benchmark public void layerNormBackward(Rate rate) {
        device.layerNormBackward(x, gamma, rowMean, rowRstd, dy, dx);
        ran(rate, 0, x, dy, dx);
    }
}
