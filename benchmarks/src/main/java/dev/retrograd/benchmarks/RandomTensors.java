package dev.retrograd.benchmarks;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.SplittableRandom;

/// Seeded operands from U(-1, 1), and a check of results against float64.
final class RandomTensors {
    private static final double TOLERANCE = 1e-3;
    /// Half the distance of neighbours in bfloat16, relative to them, and some for sums of such.
    private static final double HALF_PRECISION = 0.02;

    private final Backend backend;
    private final SplittableRandom random = new SplittableRandom(1);

    RandomTensors(Backend backend) {
        this.backend = backend;
    }

    /// Float32, as vectors, trained weights and statistics are.
    Tensor vector(int... dims) {
        Shape shape = Shape.of(dims);
        float[] values = new float[Math.toIntExact(shape.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return backend.floats("operand", shape, values);
    }

    /// In the type that the backend computes in, as activations and frozen matrices are.
    Tensor next(int... dims) {
        Tensor values = vector(dims);
        if (backend.activations() == DType.F32) {
            return values;
        }
        Tensor t = empty(dims);
        backend.convert(values, t);
        return t;
    }

    /// A result of activations' type.
    Tensor empty(int... dims) {
        return backend.empty("result", new Spec(Shape.of(dims), backend.activations()));
    }

    /// One element of a result in float64.
    @FunctionalInterface
    interface Element {
        double at(int index);
    }

    /// @throws IllegalStateException if one of 64 elements is off by more than 1e-3, or more than 16 bits can hold
    void check(String where, float[] actual, Element expected) {
        double relative = backend.activations() == DType.F32 ? 0 : HALF_PRECISION;
        for (int n = 0; n < 64; n++) {
            int i = random.nextInt(actual.length);
            double e = expected.at(i);
            if (!(Math.abs(actual[i] - e) <= TOLERANCE + relative * Math.max(1, Math.abs(e)))) {
                throw new IllegalStateException("%s: element %d must be %s, got %s".formatted(where, i, e, actual[i]));
            }
        }
    }
}
