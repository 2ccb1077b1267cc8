package dev.retrograd.benchmarks;

import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/// Matrix products.
public class MatmulBenchmark extends DeviceBenchmark {

    /// A product `[M,K]·[K,N]`.
    public enum Place {
        SQUARE_256(256, 256, 256),
        SQUARE_1024(1024, 1024, 1024),
        SQUARE_2048(2048, 2048, 2048),
        DOWN0_64X64_TO_Q(4096, 320, 320),
        DOWN0_64X64_GEGLU(4096, 2560, 320),
        DOWN1_32X32_CONV3X3(1024, 640, 5760),
        MID_16X16_CONV3X3(256, 1280, 11520),
        TEXT_77_MLP(77, 768, 3072),
        TIME_EMBEDDING(2, 1280, 1280),
        DOWN0_64X64_LORA_DOWN(4096, 4, 320),
        MINIATURE_16X16_CONV3X3(512, 64, 576);

        final int m;
        final int n;
        final int k;

        Place(int m, int n, int k) {
            this.m = m;
            this.n = n;
            this.k = k;
        }
    }

    @Param public Place place;

    private Tensor x;
    private Tensor w;
    private Tensor y;
    private Tensor dw;

    /// @throws IllegalStateException if a product is wrong
    @Override void prepare() {
        x = tensors.next(place.m, place.k);
        w = tensors.next(place.n, place.k);
        y = tensors.next(place.m, place.n);
        dw = tensors.next(place.n, place.k);
        float[] xs = device.toFloats(x);
        float[] ws = device.toFloats(w);
        float[] dys = device.toFloats(y);
        device.matmul(y, true, x, false, dw);
        tensors.check("dyᵀ·x", device.toFloats(dw),
                i -> sum(dys, i / place.k, place.n, xs, i % place.k, place.k, place.m));
        device.matmul(x, false, w, true, y);
        tensors.check("x·wᵀ", device.toFloats(y),
                i -> sum(xs, i / place.n * place.k, 1, ws, i % place.n * place.k, 1, place.k));
    }

    private static double sum(float[] a, int atA, int stepA, float[] b, int atB, int stepB, int count) {
        double sum = 0;
        for (int p = 0; p < count; p++) {
            sum += (double) a[atA + p * stepA] * b[atB + p * stepB];
        }
        return sum;
    }

    /// `y = x·wᵀ`, a linear layer.
    @Benchmark public void forward(Rate rate) {
        device.matmul(x, false, w, true, y);
        count(rate);
    }

    /// `dx = dy·w`, its input gradient.
    @Benchmark public void inputGradient(Rate rate) {
        device.matmul(y, false, w, false, x);
        count(rate);
    }

    /// `dw = dyᵀ·x`, its weight gradient.
    @Benchmark public void weightGradient(Rate rate) {
        device.matmul(y, true, x, false, dw);
        count(rate);
    }

    private void count(Rate rate) {
        ran(rate, 2.0 * place.m * place.n * place.k, x, w, y);
    }
}
