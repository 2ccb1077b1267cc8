package dev.retrograd.core.testing;

/// Assertions on arrays of numbers. A comparison passes only if it is true that the difference is small, so NaN fails.
public final class Close {
    private Close() {
    }

    /// Every element within `absolute + relative·|expected|`.
    public static void elements(String what, double[] expected, double[] actual, double absolute, double relative) {
        Claims.assertEquals(expected.length, actual.length, what + ": number of elements");
        int first = -1;
        int count = 0;
        for (int i = 0; i < expected.length; i++) {
            boolean same = expected[i] == actual[i]; // infinities
            if (!(same || Math.abs(actual[i] - expected[i]) <= absolute + relative * Math.abs(expected[i]))) {
                first = count++ == 0 ? i : first;
            }
        }
        if (count > 0) {
            throw Claims.failure(what + ": at [" + first + "] expected " + expected[first] + ", got " + actual[first] + "; " + count + " of "
                    + expected.length + " differ by more than " + absolute + " + " + relative + "·|expected|");
        }
    }

    /// Every element within `absolute + relative·|expected|`.
    public static void elements(String what, float[] expected, float[] actual, double absolute, double relative) {
        elements(what, widened(expected), widened(actual), absolute, relative);
    }

    /// `‖actual − expected‖ / ‖expected‖` within a limit; where the expected values are all zero, the absolute norm.
    public static void relativeL2(String what, double[] expected, double[] actual, double limit) {
        Claims.assertEquals(expected.length, actual.length, what + ": number of elements");
        double error = relativeL2(expected, actual);
        if (!(error <= limit)) {
            int worst = worst(expected, actual);
            throw Claims.failure(what + ": relative L2 error " + error + " exceeds " + limit + "; worst at [" + worst + "] expected " + expected[worst] + ", got "
                    + actual[worst] + "; " + countBeyond(limit, expected, actual) + " of " + expected.length + " differ by more than the limit times the root mean square");
        }
    }

    private static int countBeyond(double limit, double[] expected, double[] actual) {
        double squares = 0;
        for (double e : expected) {
            squares += e * e;
        }
        double allowed = limit * (squares == 0 ? 1 : Math.sqrt(squares / expected.length));
        int count = 0;
        for (int i = 0; i < expected.length; i++) {
            if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
                count++;
            }
        }
        return count;
    }

    /// `‖actual − expected‖ / ‖expected‖` within a limit; where the expected values are all zero, the absolute norm.
    public static void relativeL2(String what, float[] expected, float[] actual, double limit) {
        relativeL2(what, widened(expected), widened(actual), limit);
    }

    /// `‖actual − expected‖ / ‖expected‖`; where the expected values are all zero, the absolute norm.
    public static double relativeL2(double[] expected, double[] actual) {
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }
        return norm == 0 ? Math.sqrt(error) : Math.sqrt(error / norm);
    }

    private static int worst(double[] expected, double[] actual) {
        int worst = 0;
        for (int i = 0; i < expected.length; i++) {
            double d = Math.abs(actual[i] - expected[i]);
            if (Double.isNaN(d)) {
                return i;
            }
            worst = d > Math.abs(actual[worst] - expected[worst]) ? i : worst;
        }
        return worst;
    }

    public static double[] widened(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }
}
