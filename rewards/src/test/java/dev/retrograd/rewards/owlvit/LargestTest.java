package dev.retrograd.rewards.owlvit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.testing.RandomValues;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LargestTest {

    @ParameterizedTest @ValueSource(ints = {1, 2, 3, 7, 13, 64, 207})
    void isTheLargestOfEachRow(int count) {
        float[] values = new RandomValues(count).uniform(2L * count, 0, 1);
        float[] expected = new float[2];
        for (int i = 0; i < values.length; i++) {
            expected[i / count] = Math.max(expected[i / count], values[i]);
        }
        try (CpuBackend b = new CpuBackend(); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            assertArrayEquals(expected, b.toFloats(Largest.of(t.constant(b.floats("x", Shape.of(2, count), values))).value()), 1e-6f);
        }
    }

    @ParameterizedTest @ValueSource(ints = {1, 2, 3, 5, 9})
    void gradientGoesToTheLargestAlone(int count) {
        double[] d = new GradientCheck(count).uniform(0, 1, 2, count).check(v -> Largest.of(v[0]))[0];
        assertEquals(2, java.util.Arrays.stream(d).filter(x -> x != 0).count(), "one for each row");
    }
}
