package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.PlanBackend.Cost;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Map;

/// What a device does at most: arithmetic and memory traffic per second.
///
/// @param flops floating-point operations per second
/// @param bandwidth bytes per second
record Ceilings(double flops, double bandwidth) {
    private static final int MATRIX = 1024;
    private static final int ELEMENTS = 1 << 24;
    private static final long NANOS = 300_000_000;
    private static final int WARM_UP = 2;

    /// Measures a device for about a second: a matrix product, and a sum of two tensors that no cache holds.
    static Ceilings measure(Backend b) {
        try (var _ = b.memory().open("ceilings")) {
            Tensor x = b.zeros("x", Spec.f32(MATRIX, MATRIX));
            Tensor y = b.zeros("y", Spec.f32(MATRIX, MATRIX));
            double products = perSecond(b, () -> b.matmul(x, false, x, true, y));
            Tensor u = b.zeros("u", Spec.f32(ELEMENTS));
            Tensor v = b.zeros("v", Spec.f32(ELEMENTS));
            double sums = perSecond(b, () -> b.linearCombination(0, new double[] {1, 1}, new Tensor[] {u, v}, v));
            return new Ceilings(products * 2 * MATRIX * MATRIX * MATRIX, sums * 3 * u.spec().bytes());
        }
    }

    private static double perSecond(Backend b, Runnable kernel) {
        for (int i = 0; i < WARM_UP; i++) {
            kernel.run();
        }
        b.synchronize();
        long start = System.nanoTime();
        int calls = 0;
        long elapsed = 0;
        while (elapsed < NANOS) {
            kernel.run();
            b.synchronize();
            calls++;
            elapsed = System.nanoTime() - start;
        }
        return calls * 1e9 / elapsed;
    }

    /// Seconds of kernels, each held back by arithmetic or by memory.
    double seconds(Map<String, Cost> costs) {
        return costs.values().stream().mapToDouble(c -> Math.max(c.flops() / flops, c.bytes() / bandwidth)).sum();
    }
}
