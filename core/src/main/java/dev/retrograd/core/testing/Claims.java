package dev.retrograd.core.testing;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.IntFunction;

/// Assertions for cases that run outside of a test framework too. They throw an {@link AssertionError} that says what was expected.
public final class Claims {
    private Claims() {
    }

    public static AssertionError failure(String what) {
        return new AssertionError(what);
    }

    public static void assertTrue(boolean claim, String what) {
        if (!claim) {
            throw failure(what);
        }
    }

    public static void assertEquals(Object expected, Object actual, String what) {
        assertTrue(Objects.equals(expected, actual), what + ": expected " + expected + ", got " + actual);
    }

    public static void assertArrayEquals(double[] expected, double[] actual, String what) {
        assertSame(Arrays.mismatch(expected, actual), i -> i < Math.min(expected.length, actual.length) ? expected[i] + ", got " + actual[i] : expected.length + " elements, got " + actual.length, what);
    }

    public static void assertArrayEquals(float[] expected, float[] actual, String what) {
        assertSame(Arrays.mismatch(expected, actual), i -> i < Math.min(expected.length, actual.length) ? expected[i] + ", got " + actual[i] : expected.length + " elements, got " + actual.length, what);
    }

    public static void assertArrayEquals(byte[] expected, byte[] actual, String what) {
        assertSame(Arrays.mismatch(expected, actual), i -> i < Math.min(expected.length, actual.length) ? expected[i] + ", got " + actual[i] : expected.length + " bytes, got " + actual.length, what);
    }

    private static void assertSame(int mismatch, IntFunction<String> difference, String what) {
        assertTrue(mismatch < 0, what + ": at [" + mismatch + "] expected " + (mismatch < 0 ? "" : difference.apply(mismatch)));
    }

    /// @return what was thrown
    public static <E extends Exception> E assertThrows(Class<E> expected, Runnable action, String what) {
        try {
            action.run();
        } catch (RuntimeException e) {
            if (expected.isInstance(e)) {
                return expected.cast(e);
            }
            throw new AssertionError(what + ": " + expected.getSimpleName() + " is required, got " + e, e);
        }
        throw failure(what + ": " + expected.getSimpleName() + " is required, got none");
    }
}
