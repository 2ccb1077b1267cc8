package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RandomStreamTest {

    private static final int LATENT = 4 * 64 * 64;

    @Test void seedsThatAgreeInTheirLow32BitsGiveOneStream() {
        assertArrayEquals(new RandomStream(5).rand(100), new RandomStream(5 + (7L << 32)).rand(100));
        assertFalse(Arrays.equals(new RandomStream(5).rand(100), new RandomStream(6).rand(100)));
    }

    @Test void singleDrawsEqualBulkDraws() {
        RandomStream single = new RandomStream(3);
        RandomStream bulk = new RandomStream(3);
        for (float expected : bulk.rand(700)) {
            assertEquals(expected, single.nextFloat());
        }
        for (double expected : bulk.randDouble(700)) {
            assertEquals(expected, single.nextDouble());
        }
        for (long expected : bulk.randint(-7, 1L << 33, 700)) {
            assertEquals(expected, single.randint(-7, 1L << 33));
        }
        for (float expected : bulk.randn(5)) {
            assertEquals(expected, single.normal(0, 1));
        }
    }

    @Test void cachedNormalSurvivesEverythingButItsUse() {
        RandomStream plain = new RandomStream(11);
        float[] pair = plain.randn(2);
        RandomStream interrupted = new RandomStream(11);
        assertEquals(pair[0], interrupted.randn(1)[0]);
        interrupted.rand(3);
        interrupted.randn(16);
        interrupted.randnDouble(17);
        interrupted.randperm(4);
        assertEquals(pair[1], interrupted.randn(1)[0]);
    }

    @Test void doubleNormalsOfFewElementsAreTheFloatOnesUnrounded() {
        double[] doubles = new RandomStream(9).randnDouble(15);
        float[] floats = new RandomStream(9).randn(15);
        assertArrayEquals(floats, narrowed(doubles));
        assertNotEquals(floats[0], doubles[0]);
    }

    @Test void integersFillTheirRangeAndNoMore() {
        long[] drawn = new RandomStream(1).randint(-2, 3, 10_000);
        int[] counts = new int[5];
        for (long value : drawn) {
            counts[(int) value + 2]++;
        }
        for (int count : counts) {
            assertTrue(Math.abs(count - 2000) < 200, Arrays.toString(counts));   // five standard deviations of 40
        }
    }

    @Test void integersSpanTheWholeLongRange() {
        long[] drawn = new RandomStream(1).randint(Long.MIN_VALUE, Long.MAX_VALUE, 1000);
        assertTrue(Arrays.stream(drawn).anyMatch(value -> value < -(1L << 62)));
        assertTrue(Arrays.stream(drawn).anyMatch(value -> value > 1L << 62));
    }

    @Test void permutationHoldsEachNumberOnce() {
        for (int n : new int[] {0, 1, 2, 13, 207}) {
            int[] drawn = new RandomStream(n).randperm(n);
            Arrays.sort(drawn);
            assertArrayEquals(IntStream.range(0, n).toArray(), drawn);
        }
    }

    @Test void stateContinuesTheStream() {
        for (int drawn : new int[] {0, 1, 15, 16, 33, 624, 1000}) {
            RandomStream stream = RandomStream.keyed(4, drawn);
            stream.randn(drawn);
            RandomStream.State state = stream.state();
            assertEquals(drawn % 2 == 1 && drawn < 16, state.cachedNormal().isPresent());
            float[] next = stream.randn(5);
            float[] afterThat = stream.randn(1001);
            RandomStream restored = RandomStream.of(new RandomStream.State(state.words(), state.position(), state.cachedNormal()));
            assertEquals(state, restored.state());
            assertArrayEquals(next, restored.randn(5));
            assertArrayEquals(afterThat, restored.randn(1001));
            assertNotEquals(state, restored.state());
        }
    }

    @Test void stateIsNotSharedWithItsStream() {
        RandomStream stream = new RandomStream(2);
        RandomStream.State state = stream.state();
        state.words()[0] = 77;
        float[] expected = new RandomStream(2).rand(1000);
        assertArrayEquals(expected, stream.rand(1000));
        assertArrayEquals(expected, RandomStream.of(state).rand(1000));
        assertArrayEquals(expected, RandomStream.of(state).rand(1000));
    }

    @Test void keyedNormalsAreStandardNormal() {
        int images = 64;
        double[] moments = new double[4];
        for (int sample = 0; sample < images; sample++) {
            for (float x : RandomStream.keyed(42, 7, sample).randn(LATENT)) {
                moments[0] += x;
                moments[1] += x * x;
                moments[2] += x * x * x;
                moments[3] += (double) x * x * x * x;
            }
        }
        double count = (double) images * LATENT;
        // Five standard errors: the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
        assertEquals(0, moments[0] / count, 5 * Math.sqrt(1 / count));
        assertEquals(1, moments[1] / count, 5 * Math.sqrt(2 / count));
        assertEquals(0, moments[2] / count, 5 * Math.sqrt(15 / count));
        assertEquals(3, moments[3] / count, 5 * Math.sqrt(96 / count));
    }

    @Test void neighbouringKeysAreUncorrelated() {
        long[][] keys = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {-1, 0}, {1L << 32, 0}, {0, 1L << 32}, {0}, {0, 0, 0}, {}};
        float[][] noise = new float[keys.length + 2][];
        for (int i = 0; i < keys.length; i++) {
            noise[i] = RandomStream.keyed(0, keys[i]).randn(LATENT);
        }
        noise[keys.length] = RandomStream.keyed(1, 0, 0).randn(LATENT);
        noise[keys.length + 1] = RandomStream.keyed(1L << 32, 0, 0).randn(LATENT);
        for (int a = 0; a < noise.length; a++) {
            for (int b = 0; b < a; b++) {
                double product = 0;
                for (int i = 0; i < LATENT; i++) {
                    product += (double) noise[a][i] * noise[b][i];
                }
                assertEquals(0, product / LATENT, 5 / Math.sqrt(LATENT), "streams " + a + " and " + b);
            }
        }
    }

    @Test void noTwoKeysStartAlike() {
        Set<Long> first = new HashSet<>();
        for (int update = 0; update < 100; update++) {
            for (int sample = 0; sample < 128; sample++) {
                assertTrue(first.add(RandomStream.keyed(0, update, sample).nextU64()), update + ", " + sample);
            }
        }
    }

    @Test void keyedStreamIsAFunctionOfItsKey() {
        assertArrayEquals(RandomStream.keyed(3, 1, 2).randn(100), RandomStream.keyed(3, 1, 2).randn(100));
        assertFalse(Arrays.equals(RandomStream.keyed(3, 1, 2).randn(100), RandomStream.keyed(3, 2, 1).randn(100)));
        assertFalse(Arrays.equals(RandomStream.keyed(3).randn(100), new RandomStream(3).randn(100)));
    }

    @Test void refusesWhatItCannotDraw() {
        RandomStream stream = new RandomStream(0);
        assertEquals("randn: n must be >= 0, got -1", message(() -> stream.randn(-1)));
        assertEquals("randint: lo must be below hi, got 3, 3", message(() -> stream.randint(3, 3)));
        assertEquals("normal: std must be >= 0, got NaN", message(() -> stream.normal(0, Float.NaN)));
        assertEquals(new RandomStream(0).state(), stream.state());
    }

    @Test void refusesAStateThatNoStreamHas() {
        int[] words = new RandomStream(0).state().words();
        assertEquals("random state: words must be 624, got 3",
                message(() -> new RandomStream.State(new int[3], 0, OptionalDouble.empty())));
        assertEquals("random state: position must be 0..624, got 625",
                message(() -> new RandomStream.State(words, 625, OptionalDouble.empty())));
        assertEquals("random state: words must not all be zero, got 624 zeros",
                message(() -> new RandomStream.State(new int[624], 0, OptionalDouble.empty())));
        assertEquals("random state: cached normal must be finite, got NaN",
                message(() -> new RandomStream.State(words, 0, OptionalDouble.of(Double.NaN))));
    }

    private static String message(Runnable refused) {
        return assertThrows(IllegalArgumentException.class, refused::run).getMessage();
    }

    private static float[] narrowed(double[] values) {
        float[] out = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            out[i] = (float) values[i];
        }
        return out;
    }
}
