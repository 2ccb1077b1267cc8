package dev.retrograd.benchmarks;

import dev.retrograd.core.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/// What a device reaches at most through this program: its largest matrix product, and a sum of tensors that no cache holds. On a CPU, {@link PeakBenchmark}
/// says what its arithmetic units could do.
public class CeilingBenchmark extends DeviceBenchmark {
    private static final int MATRIX = 2048;
    private static final int ELEMENTS = 1 << 25;

    private Tensor a;
    private Tensor b;
    private Tensor y;
    private Tensor u;
    private Tensor v;

    @Override void prepare() {
        a = tensors.next(MATRIX, MATRIX);
        b = tensors.next(MATRIX, MATRIX);
        y = tensors.empty(MATRIX, MATRIX);
        u = tensors.empty(ELEMENTS);
        v = tensors.empty(ELEMENTS);
        device.fill(u, 1);
        device.fill(v, 1);
    }

    @Benchmark public void product(Rate rate) {
        device.matmul(a, false, b, true, y);
        ran(rate, 2.0 * MATRIX * MATRIX * MATRIX, a, b, y);
    }

    /// `v = u + v/2`, which stays finite.
    @Benchmark public void traffic(Rate rate) {
        device.linearCombination(0, new double[] {1, 0.5}, new Tensor[] {u, v}, v);
        ran(rate, 0, u, v, v);
    }
}
