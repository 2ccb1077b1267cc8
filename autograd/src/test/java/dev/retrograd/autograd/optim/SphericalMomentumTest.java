package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SphericalMomentumTest {
    private static final SphericalMomentum.Perturbation NONE = (_, _, count) -> new float[count];

    private final CpuBackend b = new CpuBackend();
    private final Scope scope = b.memory().open("test");

    @AfterEach void close() {
        scope.close();
        assertEquals(0, b.memory().liveBytes());
        b.close();
    }

    private Parameter parameter(String name, float... values) {
        return new Parameter(name, b.floats(name, Shape.of(values.length), values), true);
    }

    /// One step with the gradient of `Σ slope·p`.
    private void step(SphericalMomentum optimizer, double rate, double scale, Parameter p, float... slope) {
        try (Scope _ = b.memory().open("step"); Gradients gradients = new Gradients(b); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            tape.backward(tape.parameter(p).times(tape.constant(b.floats("slope", Shape.of(slope.length), slope))).apply(SumTo.all()), gradients);
            optimizer.step(gradients, rate, b.floats("scale", Shape.of(), (float) scale));
        }
    }

    @Test void twoStepsByHand() {
        double[] x = {3, -4};
        double[] v = {0, 0};
        double[] slope = {1, -0.05};
        float[] noise = {0.5f, -2};
        try (Parameter p = parameter("p", 3, -4); SphericalMomentum optimizer = new SphericalMomentum(b, List.of(p), new SphericalMomentum.Hyperparameters(0.5, 0.2, 0.01), (_, _, _) -> noise)) {
            for (int t = 0; t < 2; t++) {
                step(optimizer, 2, 0.5, p, 1, -0.05f);
                for (int i = 0; i < 2; i++) {
                    v[i] = 0.5 * v[i] + Math.clamp(2 * 0.5 * slope[i], -0.2, 0.2);
                    x[i] = x[i] - v[i] + 0.01 * noise[i];
                }
                double shrink = 5 / Math.hypot(x[0], x[1]);
                x[0] *= shrink;
                x[1] *= shrink;
                assertArrayEquals(new float[] {(float) x[0], (float) x[1]}, b.toFloats(p.value()), 1e-5f);
            }
        }
    }

    @Test void restoredItGoesOnAsIfNothingHadBeen() {
        SphericalMomentum.Perturbation noise = (t, i, count) -> new float[] {t, i, 1 - t};
        SphericalMomentum.Hyperparameters how = new SphericalMomentum.Hyperparameters(0.9, 1, 0.1);
        try (Parameter p = parameter("p", 1, 2, 3); Parameter q = parameter("p", 1, 2, 3); SphericalMomentum one = new SphericalMomentum(b, List.of(p), how, noise)) {
            step(one, 1, 1, p, 0.1f, 0.2f, -0.3f);
            Map<String, Tensor> saved = new HashMap<>(one.state());
            b.convert(p.value(), q.value());
            try (SphericalMomentum other = new SphericalMomentum(b, List.of(q), how, noise)) {
                other.restore(saved);
                step(one, 1, 1, p, 0.3f, 0.1f, 0.2f);
                step(other, 1, 1, q, 0.3f, 0.1f, 0.2f);
                assertArrayEquals(b.toFloats(p.value()), b.toFloats(q.value()));
                saved.remove("p.norm");
                assertTrue(assertThrows(IllegalArgumentException.class, () -> other.restore(saved)).getMessage().contains("must hold 'p.norm'"));
            }
        }
    }

    @Test void whatCannotBeIsRefused() {
        for (double[] bad : List.of(new double[] {1, 1, 0}, new double[] {-0.1, 1, 0}, new double[] {0, 0, 0}, new double[] {0, 1, -1}, new double[] {Double.NaN, 1, 0}, new double[] {0, 1, Double.NaN})) {
            assertThrows(IllegalArgumentException.class, () -> new SphericalMomentum.Hyperparameters(bad[0], bad[1], bad[2]));
        }
        try (Parameter p = parameter("p", 1); SphericalMomentum optimizer = new SphericalMomentum(b, List.of(p), SphericalMomentum.Hyperparameters.DEFAULT, NONE); Gradients gradients = new Gradients(b)) {
            Tensor one = b.floats("one", Shape.of(), 1);
            assertEquals("spherical momentum: every parameter must get a gradient, got none for 'p'", assertThrows(IllegalStateException.class, () -> optimizer.step(gradients, 1, one)).getMessage());
        }
    }
}
