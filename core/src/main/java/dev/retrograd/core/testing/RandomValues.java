package dev.retrograd.core.testing;

import java.util.Random;

/// Seeded random arrays for tests; equal seeds give equal values on every machine.
public final class RandomValues {
    private final Random random;

    public RandomValues(long seed) {
        random = new Random(seed);
    }

    /// Standard normal.
    public float[] normal(long count) {
        float[] values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /// Uniform in `[low, high)`.
    public float[] uniform(long count, double low, double high) {
        float[] values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (low + (high - low) * random.nextDouble());
        }
        return values;
    }

    /// Standard normal, with all the digits of float64.
    public double[] normalDoubles(long count) {
        double[] values = new double[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextGaussian();
        }
        return values;
    }

    /// Uniform integers in `0..bound − 1`.
    public int[] ints(long count, int bound) {
        int[] values = new int[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(bound);
        }
        return values;
    }
}
