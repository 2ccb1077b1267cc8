package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.cpu.CpuBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProfiledBackendTest {

    private final ProfiledBackend profiled = new ProfiledBackend(new CpuBackend());
    private final List<ProfiledBackend.Call> calls = new ArrayList<>();

    private float[] compute(Backend b) {
        try (Scope _ = b.memory().open("work")) {
            Tensor x = b.floats("x", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
            Tensor w = b.floats("w", Shape.of(4, 3), 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1);
            Tensor hidden = b.empty("hidden", Spec.f32(2, 4));
            Tensor y = b.empty("y", Spec.f32(2, 2));
            b.linearGeglu(x, w, b.floats("bias", Shape.of(4), 1, 1, 1, 1), hidden, y);
            Tensor p = b.zeros("p", Spec.f32(2, 2));
            b.adamw(new OptimizerKernels.AdamWStep(0.1, 0.9, 0.999, 1e-8, 0, 1), b.floats("scale", Shape.of(), 1),
                    List.of(new OptimizerKernels.AdamWWeight(y, p, b.zeros("m", Spec.f32(2, 2)), b.zeros("v", Spec.f32(2, 2)))));
            return b.toFloats(p);
        }
    }

    @Test void valuesAreThoseOfTheMeasuredBackend() {
        try (Backend b = profiled.backend(); Backend plain = new CpuBackend()) {
            float[] expected = compute(plain);
            assertArrayEquals(expected, compute(b));
            profiled.observe(calls::add);
            assertArrayEquals(expected, compute(b));
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void everyCallIsShownWithWhatItCosts() {
        try (Backend b = profiled.backend()) {
            compute(b);
            assertEquals(List.of(), calls, "nobody looked");
            profiled.observe(calls::add);
            compute(b);
        }
        assertEquals(List.of("floats", "floats", "floats", "linearGeglu", "fill", "floats", "fill", "fill", "adamw", "toFloats"), calls.stream().map(ProfiledBackend.Call::kernel).toList());
        ProfiledBackend.Call geglu = calls.get(3);
        assertTrue(geglu.cost().flops() >= 2 * 2 * 4 * 3, "two rows, four outputs of three products, got " + geglu.cost());
        assertEquals(4 * 2 * 3, calls.getFirst().cost().bytes());
        assertTrue(calls.stream().allMatch(c -> c.nanos() >= 0 && c.launches() == 0 && c.scope().name().equals("work")), calls.toString());
    }

    @Test void exceptionsAreThoseOfTheMeasuredBackend() {
        try (Backend b = profiled.backend(); Scope _ = b.memory().open("work")) {
            profiled.observe(calls::add);
            assertThrows(ShapeException.class, () -> b.floats("x", Shape.of(2), 1, 2, 3));
            assertEquals(List.of(), calls);
        }
    }
}
