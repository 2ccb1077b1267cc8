package dev.retrograd.benchmarks;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import java.util.SplittableRandom;

/// Seeded operands from U(-1, 1), and a check of results against float64.
final class RandomTensors {
    private final Backend backend;
    private final SplittableRandom random = new SplittableRandom(1);

    RandomTensors(Backend backend) {
        this.backend = backend;
    }

    Tensor next(int... dims) {
        Shape shape = Shape.of(dims);
        float[] values = new float[Math.toIntExact(shape.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return backend.floats("operand", shape, values);
    }

    /// One element of a result in float64.
    @FunctionalInterface
    interface Element {
        double at(int index);
    }

    /// @throws IllegalStateException if one of 64 elements is off by more than 1e-3
    void check(String where, float[] actual, Element expected) {
        for (int n = 0; n < 64; n++) {
            int i = random.nextInt(actual.length);
            double e = expected.at(i);
            if (!(Math.abs(actual[i] - e) <= 1e-3)) {
                throw new IllegalStateException("%s: element %d must be %s, got %s".formatted(where, i, e, actual[i]));
            }
        }
    }
}
