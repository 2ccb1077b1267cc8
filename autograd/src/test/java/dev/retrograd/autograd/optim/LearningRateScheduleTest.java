package dev.retrograd.autograd.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.optim.LearningRateSchedule.Constant;
import dev.retrograd.autograd.optim.LearningRateSchedule.Cosine;
import dev.retrograd.autograd.optim.LearningRateSchedule.Linear;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Values of transformers' `get_scheduler` lambdas, worked out from their formulas.
class LearningRateScheduleTest {

    @Test void constant() {
        assertRates(new Constant(0.5, 0), 0, 0.5, 1, 0.5, 1000, 0.5);
        assertRates(new Constant(0.5, 4), 0, 0, 1, 0.125, 3, 0.375, 4, 0.5, 1000, 0.5);
    }

    @Test void linear() {
        assertRates(new Linear(1, 0, 10), 0, 1, 1, 0.9, 9, 0.1, 10, 0, 11, 0);
        assertRates(new Linear(2, 10, 100), 0, 0, 5, 1, 10, 2, 55, 1, 99, 2.0 / 90, 100, 0, 500, 0);
    }

    @Test void cosine() {
        assertRates(new Cosine(1, 0, 6), 0, 1, 1, 0.5 * (1 + Math.sqrt(3) / 2), 2, 0.75, 3, 0.5, 4, 0.25, 6, 0, 12, 0);
        assertRates(new Cosine(2, 10, 100), 0, 0, 5, 1, 10, 2, 40, 1.5, 55, 1, 70, 0.5, 100, 0);
    }

    @Test void aScheduleOfWarmUpOnly() {
        assertRates(new Linear(1, 4, 4), 3, 0.75, 4, 1, 5, 0);
        assertRates(new Cosine(1, 4, 4), 3, 0.75, 4, 1, 5, 0);
    }

    private static void assertRates(LearningRateSchedule schedule, double... updatesAndRates) {
        for (int i = 0; i < updatesAndRates.length; i += 2) {
            assertEquals(updatesAndRates[i + 1], schedule.at((int) updatesAndRates[i]), 1e-15, schedule + " at " + updatesAndRates[i]);
        }
    }

    @Test void saysWhatItTakes() {
        List<Runnable> bad = List.of(() -> new Constant(-1, 0), () -> new Constant(1, -1), () -> new Linear(1, 5, 4), () -> new Cosine(1, 0, 0),
                () -> new Constant(1, 0).at(-1));
        List<String> messages = List.of("must be 0 or more, got -1.0", "warm-up must be 0 updates or more, got -1",
                "updates must be 1 or more and not fewer than the warm-up's 5, got 4", "updates must be 1 or more and not fewer than the warm-up's 0, got 0",
                "updates count from 0, got -1");
        for (int i = 0; i < bad.size(); i++) {
            assertEquals("learning rate: " + messages.get(i), assertThrows(IllegalArgumentException.class, bad.get(i)::run).getMessage());
        }
    }
}
