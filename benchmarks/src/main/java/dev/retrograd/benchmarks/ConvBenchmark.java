package dev.retrograd.benchmarks;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/// Convolutions of one image.
public class ConvBenchmark extends DeviceBenchmark {

    /// A convolution of a square image; its padding keeps the size, or halves it with stride 2.
    public enum Place {
        CONV_IN_64X64(64, 4, 320, 3, 1),
        DOWN0_64X64_C320(64, 320, 320, 3, 1),
        DOWN0_64X64_DOWNSAMPLER(64, 320, 320, 3, 2),
        DOWN1_32X32_C640(32, 640, 640, 3, 1),
        DOWN2_16X16_C1280(16, 1280, 1280, 3, 1),
        UP3_64X64_SHORTCUT(64, 960, 320, 1, 1),
        CONV_OUT_64X64(64, 320, 4, 3, 1),
        MINIATURE_16X16_C64(16, 64, 64, 3, 1);

        final int size;
        final int inputs;
        final int outputs;
        final ConvSpec spec;

        Place(int size, int inputs, int outputs, int kernel, int stride) {
            this.size = size;
            this.inputs = inputs;
            this.outputs = outputs;
            spec = ConvSpec.square(kernel, stride, kernel / 2);
        }

        int outSize() {
            return spec.outHeight(size);
        }
    }

    @Param public Place place;

    private Tensor x;
    private Tensor w;
    private Tensor y;
    private Tensor dx;
    private Tensor dw;

    /// @throws IllegalStateException if the result is wrong
    @Override void prepare() {
        int kernel = place.spec.kernelHeight();
        x = tensors.next(1, place.size, place.size, place.inputs);
        w = tensors.next(place.outputs, kernel, kernel, place.inputs);
        y = tensors.next(1, place.outSize(), place.outSize(), place.outputs);
        dx = tensors.next(1, place.size, place.size, place.inputs);
        dw = tensors.next(place.outputs, kernel, kernel, place.inputs);
        float[] xs = device.toFloats(x);
        float[] ws = device.toFloats(w);
        device.conv2d(place.spec, x, w, y);
        tensors.check("conv2d", device.toFloats(y), i -> output(xs, ws, i));
    }

    private double output(float[] xs, float[] ws, int index) {
        int kernel = place.spec.kernelHeight();
        int pixel = index / place.outputs;
        double sum = 0;
        for (int tap = 0; tap < kernel * kernel; tap++) {
            int row = pixel / place.outSize() * place.spec.stride() - place.spec.padTop() + tap / kernel;
            int column = pixel % place.outSize() * place.spec.stride() - place.spec.padLeft() + tap % kernel;
            if (row >= 0 && row < place.size && column >= 0 && column < place.size) {
                for (int i = 0; i < place.inputs; i++) {
                    sum += (double) xs[(row * place.size + column) * place.inputs + i]
                            * ws[(index % place.outputs * kernel * kernel + tap) * place.inputs + i];
                }
            }
        }
        return sum;
    }

    @Benchmark public void forward(Rate rate) {
        device.conv2d(place.spec, x, w, y);
        count(rate);
    }

    @Benchmark public void inputGradient(Rate rate) {
        device.conv2dBackwardInput(place.spec, y, w, dx);
        count(rate);
    }

    @Benchmark public void weightGradient(Rate rate) {
        device.conv2dBackwardWeight(place.spec, x, y, dw);
        count(rate);
    }

    private void count(Rate rate) {
        ran(rate, 2.0 * y.elements() * w.elements() / place.outputs, x, w, y);
    }
}
