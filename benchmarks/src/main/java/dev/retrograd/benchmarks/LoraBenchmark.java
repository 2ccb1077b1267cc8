package dev.retrograd.benchmarks;

import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/// A linear layer with its low-rank update of rank 4, and the gradient of its input.
public class LoraBenchmark extends DeviceBenchmark {
    private static final int RANK = 4;
    private static final double SCALE = 1;

    /// Rows, channels in and out.
    public enum Place {
        DOWN0_64X64_C320(4096, 320),
        DOWN1_32X32_C640(1024, 640),
        DOWN2_16X16_C1280(256, 1280);

        final int rows;
        final int channels;

        Place(int rows, int channels) {
            this.rows = rows;
            this.channels = channels;
        }
    }

    @Param public Place place;

    private Tensor x;
    private Tensor w;
    private Tensor a;
    private Tensor b;
    private Tensor xa;
    private Tensor y;
    private Tensor dx;

    @Override void prepare() {
        x = tensors.next(place.rows, place.channels);
        w = tensors.next(place.channels, place.channels);
        a = tensors.vector(RANK, place.channels);
        b = tensors.vector(place.channels, RANK);
        xa = tensors.vector(place.rows, RANK);
        y = tensors.next(place.rows, place.channels);
        dx = tensors.empty(place.rows, place.channels);
    }

    private double flop() {
        return 2.0 * place.rows * place.channels * (place.channels + 2 * RANK);
    }

    @Benchmark public void forward(Rate rate) {
        device.loraLinear(x, w, a, b, SCALE, xa, y);
        ran(rate, flop(), x, w, a, b, y);
    }

    @Benchmark public void inputGradient(Rate rate) {
        device.loraLinearBackwardInput(y, w, a, b, SCALE, xa, dx);
        ran(rate, flop(), y, w, a, b, dx);
    }
}
