package dev.retrograd.rewards;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;

/// Random pixels where central differences hold: `r + (x − r)³` jumps where x is halfway between two integers.
final class SmoothPoint {
    /// More than a coefficient moves when one pixel moves by the step of the differences.
    private static final double MARGIN = 3e-4;

    private SmoothPoint() {
    }

    /// The first seeded draw of which no coefficient is near a jump, in [0.3,0.7).
    static double[] pixels(ReferenceBackend backend, DifferentiableJpeg jpeg, Shape shape) {
        for (int seed = 0; seed < 1000; seed++) {
            double[] pixels = Close.widened(new RandomValues(seed).uniform(shape.elements(), 0.3, 0.7));
            if (distanceToJump(backend, jpeg, shape, pixels) > MARGIN) {
                return pixels;
            }
        }
        throw new AssertionError("no draw keeps away from rounding's jumps");
    }

    private static double distanceToJump(ReferenceBackend backend, DifferentiableJpeg jpeg, Shape shape, double[] pixels) {
        double least = 1;
        try (Scope _ = backend.memory().open("draw"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            for (double c : backend.toDoubles(jpeg.coefficients(tape.constant(tensor(backend, shape, pixels))).value())) {
                least = Math.min(least, Math.abs(c - Math.floor(c) - 0.5));
            }
        }
        return least;
    }

    /// Float64 values in a tensor that is declared float32, which the reference backend leaves unrounded.
    static Tensor tensor(ReferenceBackend backend, Shape shape, double[] values) {
        Tensor t = backend.empty("values", Spec.f32(shape.toArray()));
        backend.set(t, values);
        return t;
    }
}
