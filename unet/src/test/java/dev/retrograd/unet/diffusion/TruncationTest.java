package dev.retrograd.unet.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.RandomStream;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TruncationTest {
    private static final int DRAWS = 20_000;

    /// How often each number of kept steps came, index 0..steps, all of them suffixes.
    private static int[] counts(Truncation truncation, int steps) {
        RandomStream stream = new RandomStream(7);
        int[] counts = new int[steps + 1];
        for (int i = 0; i < DRAWS; i++) {
            BitSet kept = truncation.draw(stream, steps);
            assertEquals(steps - kept.cardinality(), kept.nextSetBit(0), "the last steps, got " + kept);
            assertEquals(steps, kept.length(), "the last steps, got " + kept);
            counts[kept.cardinality()]++;
        }
        return counts;
    }

    /// Within five standard deviations of a binomial count.
    private static void assertShare(double p, int count, String what) {
        double expected = p * DRAWS;
        assertTrue(Math.abs(count - expected) <= 5 * Math.sqrt(expected * (1 - p)), what + ": expected about " + expected + " of " + DRAWS + ", got " + count);
    }

    @Test void uniformDrawsBothBoundsAndCountsZeroAsOne() {
        int[] counts = counts(new Truncation.Uniform(0, 10), 10);
        assertEquals(0, counts[0]);
        assertShare(2.0 / 11, counts[1], "K = 1");
        for (int k = 2; k <= 10; k++) {
            assertShare(1.0 / 11, counts[k], "K = " + k);
        }
    }

    @Test void uniformStaysWithinItsBounds() {
        int[] counts = counts(new Truncation.Uniform(3, 5), 50);
        for (int k = 0; k < counts.length; k++) {
            if (k >= 3 && k <= 5) {
                assertShare(1.0 / 3, counts[k], "K = " + k);
            } else {
                assertEquals(0, counts[k], "K = " + k);
            }
        }
    }

    @Test void uniformWithoutBoundsMeansAllSteps() {
        RandomStream a = new RandomStream(3);
        RandomStream b = new RandomStream(3);
        for (int i = 0; i < 100; i++) {
            assertEquals(new Truncation.Uniform(0, 8).draw(a, 8), Truncation.parse("uniform").draw(b, 8));
        }
    }

    @Test void gaussianClampsTheFirstStep() {
        int[] counts = counts(new Truncation.Gaussian(42, 5), 50);
        assertEquals(0, counts[0]);
        assertEquals(0, counts[50]);
        // First step 42, cut from 42..43: the density's share there.
        assertShare(0.0793, counts[8], "K = 8");
        // Every draw of 49 and beyond is the last step alone: P(z >= 1.4).
        assertShare(0.0808, counts[1], "K = 1");
        int[] far = counts(new Truncation.Gaussian(-100, 1), 50);
        assertEquals(DRAWS, far[49], "clamped to first step 1");
    }

    @Test void bernoulliKeepsLateStepsMoreOften() {
        int steps = 6;
        RandomStream stream = new RandomStream(1);
        int[] counts = new int[steps];
        for (int i = 0; i < DRAWS; i++) {
            BitSet kept = new Truncation.Bernoulli().draw(stream, steps);
            assertTrue(!kept.isEmpty(), "never empty");
            kept.stream().forEach(s -> counts[s]++);
        }
        double empty = 1;
        for (int i = 0; i < steps; i++) {
            empty *= 1 - (i + 1.0) / (steps + 1);
        }
        for (int i = 0; i < steps; i++) {
            assertShare((i + 1.0) / (steps + 1) / (1 - empty), counts[i], "step " + i);
        }
    }

    @Test void fixedKeepsTheLastSteps() {
        BitSet expected = new BitSet();
        expected.set(7, 10);
        assertEquals(expected, new Truncation.Fixed(3).draw(new RandomStream(0), 10));
        assertEquals(10, new Truncation.Full().draw(new RandomStream(0), 10).cardinality());
    }

    @ParameterizedTest
    @ValueSource(strings = {"uniform", "uniform(0,50)", "gaussian(42.0,5.0)", "bernoulli", "fixed(10)", "full"})
    void parsesWhatItPrints(String text) {
        assertEquals(text, Truncation.parse(text).toString());
        assertEquals(Truncation.parse(text), Truncation.parse(" " + text.replace(",", " , ").replace("(", " ( ") + " "));
    }

    @Test void parsesNumbersOfAGaussian() {
        assertEquals(new Truncation.Gaussian(42, 5), assertInstanceOf(Truncation.Gaussian.class, Truncation.parse("gaussian(42,5)")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "uniform(1)", "uniform(1,2,3)", "uniform(1.5,2)", "fixed", "fixed(x)", "full(3)", "Uniform", "uniform(0,50", "bernoulli()"})
    void refusesOtherForms(String text) {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Truncation.parse(text));
        assertEquals("truncation: must be uniform, uniform(min,max), gaussian(mean,std), bernoulli, fixed(k) or full, got '" + text + "'", e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "fixed(11)|10|truncation: k must be 1..10 (steps), got 11",
        "fixed(0)|10|truncation: k must be 1..10 (steps), got 0",
        "uniform(0,50)|49|truncation: uniform's bounds must be 0..49 (steps), got 50",
        "gaussian(42,5)|1|truncation: gaussian needs 2 steps or more, got 1"})
    void refusesWhatDoesNotFitTheSteps(String text, int steps, String message) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> Truncation.parse(text).check(steps)).getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "uniform(5,3)|truncation: uniform(min,max) needs 0 <= min <= max, got 5 and 3",
        "uniform(-1,3)|truncation: uniform(min,max) needs 0 <= min <= max, got -1 and 3",
        "gaussian(1,-2)|truncation: gaussian(mean,std) needs a finite mean and std >= 0, got 1.0 and -2.0",
        "gaussian(NaN,2)|truncation: gaussian(mean,std) needs a finite mean and std >= 0, got NaN and 2.0"})
    void refusesImpossibleNumbers(String text, String message) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> Truncation.parse(text)).getMessage());
    }
}
