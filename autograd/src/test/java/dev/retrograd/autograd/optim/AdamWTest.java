package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.AdamW.Hyperparameters;
import dev.retrograd.autograd.optim.AdamW.Missing;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Memory;
import dev.retrograd.core.OptimizerKernels.AdamWStep;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AdamWTest {
    private final Backend b = new CpuBackend();
    private final Parameter first = Weights.trainable(b, "first", 1, -2, 3);
    private final Parameter second = Weights.trainable(b, "second", 5);
    private final Gradients gradients = new Gradients(b);

    @AfterEach void close() {
        gradients.close();
        first.close();
        second.close();
        assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
        b.close();
    }

    private void differentiate(float... ofFirst) {
        gradients.clear();
        Weights.differentiate(b, first, gradients, ofFirst);
        Weights.differentiate(b, second, gradients, 0.5f);
    }

    @Test void theFirstStepMovesByTheLearningRateAgainstTheSign() {
        try (AdamW adamw = new AdamW(b, List.of(first, second), new Hyperparameters(0.9, 0.999, 1e-8, 0.1))) {
            differentiate(10, -0.01f, 3);
            adamw.step(gradients, 0.5);
            // p·(1 − lr·wd) − lr·sign(g)
            assertArrayEquals(new float[] {0.95f - 0.5f, -1.9f + 0.5f, 2.85f - 0.5f}, Weights.values(b, first), 1e-5f);
            assertArrayEquals(new float[] {4.75f - 0.5f}, Weights.values(b, second), 1e-5f);
        }
    }

    /// All parameters that are at the same step go to the backend in one call; one that was left out before is at a step of its own.
    @Test void parametersAtOneStepAreUpdatedByOneCall() {
        List<List<Integer>> calls = new ArrayList<>();
        Backend counting = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> {
            if (method.getName().equals("adamw")) {
                calls.add(List.of((int) ((AdamWStep) arguments[0]).t(), ((List<?>) arguments[2]).size()));
            }
            return method.invoke(b, arguments);
        });
        try (AdamW adamw = new AdamW(counting, List.of(first, second), Hyperparameters.DEFAULT); Scope _ = b.memory().open("steps")) {
            differentiate(1, 2, 3);
            adamw.step(gradients, 0.1);
            gradients.clear();
            Weights.differentiate(b, second, gradients, 1);
            adamw.step(gradients, 0.1, b.floats("one", Shape.of(), 1), Missing.SKIP);
            differentiate(1, 2, 3);
            adamw.step(gradients, 0.1);
        }
        assertEquals(List.of(List.of(1, 2), List.of(2, 1), List.of(2, 1), List.of(3, 1)), calls, "step and number of parameters of each call");
    }

    @Test void aMissingGradientIsRefusedByNameAndNothingMoves() {
        try (AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT)) {
            assertRefused("adamw: every trainable parameter must get a gradient, got none for 'first' and 1 more of 2", () -> adamw.step(gradients, 1));
            Weights.differentiate(b, first, gradients, 1, 1, 1);
            assertRefused("adamw: every trainable parameter must get a gradient, got none for 'second'", () -> adamw.step(gradients, 1));
            assertArrayEquals(new float[] {1, -2, 3}, Weights.values(b, first));
        }
    }

    @Test void aMissingGradientMayBeSkippedAndItsStepIsNotCounted() {
        try (AdamW adamw = new AdamW(b, List.of(first, second), new Hyperparameters(0.9, 0.999, 1e-8, 0)); Scope _ = b.memory().open("update")) {
            Tensor one = b.floats("one", Shape.of(), 1);
            Weights.differentiate(b, first, gradients, 1, 1, 1);
            adamw.step(gradients, 0.25, one, Missing.SKIP);
            assertArrayEquals(new float[] {5}, Weights.values(b, second), "skipped");
            differentiate(1, 1, 1);
            adamw.step(gradients, 0.25, one, Missing.SKIP);
            assertArrayEquals(new float[] {4.75f}, Weights.values(b, second), 1e-6f, "its first step, corrected for bias as such");
            assertArrayEquals(new float[] {0.5f, -2.5f, 2.5f}, Weights.values(b, first), 1e-6f);
        }
    }

    @Test void aParameterFrozenLaterIsLeftOut() {
        try (AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT)) {
            Weights.differentiate(b, first, gradients, 1, 1, 1);
            second.trainable(false);
            adamw.step(gradients, 0.5);
            assertArrayEquals(new float[] {5}, Weights.values(b, second));
        }
    }

    @Test void holdsTwoMomentsPerParameterUntilClosed() {
        Memory m = b.memory();
        long before = m.liveBytes();
        AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT);
        assertEquals(before + 4 * Memory.ALIGNMENT, m.liveBytes());
        differentiate(1, 1, 1);
        long withGradients = m.liveBytes();
        adamw.step(gradients, 0.1);
        assertEquals(withGradients, m.liveBytes(), "a step leaves nothing behind");
        adamw.close();
        adamw.close();
        gradients.clear();
        assertEquals(before, m.liveBytes());
    }

    @Test void resumesFromItsStateInTheSameBits() {
        float[] straight;
        Map<String, byte[]> saved = new LinkedHashMap<>();
        Map<String, Spec> specs = new LinkedHashMap<>();
        float[] atSave;
        try (AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT)) {
            for (int i = 0; i < 3; i++) {
                differentiate(i + 1, -2, 0.5f * i);
                adamw.step(gradients, 0.1);
            }
            atSave = Weights.values(b, first);
            try (Scope _ = b.memory().open("save")) {
                adamw.state().forEach((name, t) -> {
                    byte[] bytes = new byte[Math.toIntExact(t.spec().bytes())];
                    b.download(t, MemorySegment.ofArray(bytes));
                    saved.put(name, bytes);
                    specs.put(name, t.spec());
                });
            }
            differentiate(0.25f, 3, 1);
            adamw.step(gradients, 0.1);
            straight = Weights.values(b, first);
        }
        assertEquals(List.of("first.exp_avg", "first.exp_avg_sq", "first.step", "second.exp_avg", "second.exp_avg_sq", "second.step"), List.copyOf(saved.keySet()));
        b.upload(MemorySegment.ofArray(atSave), first.value());
        try (AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT); Scope _ = b.memory().open("load")) {
            Map<String, Tensor> loaded = new LinkedHashMap<>();
            saved.forEach((name, bytes) -> {
                Tensor t = b.empty(name, specs.get(name));
                b.upload(MemorySegment.ofArray(bytes), t);
                loaded.put(name, t);
            });
            adamw.restore(loaded);
            differentiate(0.25f, 3, 1);
            adamw.step(gradients, 0.1);
            assertArrayEquals(straight, Weights.values(b, first));
        }
    }

    @Test void aStateOfOtherParametersIsRefusedByName() {
        try (AdamW adamw = new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT); Scope _ = b.memory().open("load")) {
            Map<String, Tensor> state = new LinkedHashMap<>(adamw.state());
            state.put("first.exp_avg", b.zeros("wrong", Spec.f32(4)));
            assertInvalid("adamw: saved 'first.exp_avg' must be [3] F32, got [4] F32", () -> adamw.restore(state));
            state.put("third.exp_avg", b.zeros("third", Spec.f32(1)));
            assertInvalid("adamw: the saved state must hold nothing but this optimiser's, got 'third.exp_avg'", () -> adamw.restore(state));
            state.keySet().removeIf(n -> n.startsWith("second"));
            assertInvalid("adamw: the saved state must hold 'second.exp_avg', got none and 2 more", () -> adamw.restore(state));
        }
    }

    @Test void aPlanForetellsItsBytes() {
        try (PlanBackend plan = new PlanBackend("cpu", 0); Backend cpu = new CpuBackend()) {
            for (Backend each : List.of(plan, cpu)) {
                try (Parameter p = Weights.trainable(each, "p", 1, 2, 3); AdamW adamw = new AdamW(each, List.of(p), Hyperparameters.DEFAULT);
                        Gradients g = new Gradients(each); Scope _ = each.memory().open("update")) {
                    Weights.differentiate(each, p, g, 1, 2, 3);
                    adamw.step(g, 0.1, new GradientClip(1).apply(each, g, List.of(p)).factor(), Missing.REFUSE);
                }
            }
            assertEquals(plan.memory().peakBytes(), cpu.memory().peakBytes());
        }
    }

    @Test void saysWhatItTakes() {
        assertInvalid("adamw: beta1 must be in [0,1), got 1.0", () -> new Hyperparameters(1, 0.9, 1e-8, 0));
        assertInvalid("adamw: beta2 must be in [0,1), got -0.5", () -> new Hyperparameters(0.9, -0.5, 1e-8, 0));
        assertInvalid("adamw: eps must be above 0, got 0.0", () -> new Hyperparameters(0.9, 0.9, 0, 0));
        assertInvalid("adamw: weight decay must be 0 or more, got NaN", () -> new Hyperparameters(0.9, 0.9, 1e-8, Double.NaN));
        assertInvalid("adamw: takes one trainable parameter or more, got none", () -> new AdamW(b, List.of(), Hyperparameters.DEFAULT));
        assertInvalid("adamw: each name must come once, got two 'first'", () -> new AdamW(b, List.of(first, first), Hyperparameters.DEFAULT));
        try (Scope _ = b.memory().open("check"); Parameter half = new Parameter("half", b.zeros("half", new Spec(Shape.of(2), DType.F16)), true)) {
            assertEquals("adamw: takes F32 parameters, got 'half' [2] F16 trainable",
                    assertThrows(DTypeException.class, () -> new AdamW(b, List.of(half), Hyperparameters.DEFAULT)).getMessage());
        }
        try (AdamW adamw = new AdamW(b, List.of(first), Hyperparameters.DEFAULT)) {
            assertInvalid("adamw: learning rate must be 0 or more, got -1.0", () -> adamw.step(gradients, -1));
        }
        second.trainable(false);
        assertInvalid("adamw: takes trainable parameters, got frozen 'second' [1] F32", () -> new AdamW(b, List.of(first, second), Hyperparameters.DEFAULT));
    }

    private static void assertRefused(String message, Runnable code) {
        assertEquals(message, assertThrows(IllegalStateException.class, code::run).getMessage());
    }

    private static void assertInvalid(String message, Runnable code) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, code::run).getMessage());
    }
}
