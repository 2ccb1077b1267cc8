package dev.retrograd.trainer.evaluate;

import dev.retrograd.trainer.report.Table;
import java.util.Locale;

/// A mean with its standard error.
///
/// @param count of the values
/// @param standardError sample standard deviation / √count; NaN of a single value
public record Estimate(int count, double mean, double standardError) {
    private static final int MOST_DECIMALS = 9;

    /// @throws IllegalArgumentException if there is no value
    public static Estimate of(float... values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("estimate: at least one value is required, got none");
        }
        double sum = 0;
        for (float v : values) {
            sum += v;
        }
        double mean = sum / values.length;
        double squares = 0;
        for (float v : values) {
            squares += (v - mean) * (v - mean);
        }
        return new Estimate(values.length, mean, Math.sqrt(squares / (values.length - 1.0) / values.length));
    }

    /// Of the differences `values − base`, pair by pair: of images from the same noise they vary less than the values.
    ///
    /// @throws IllegalArgumentException unless there are as many of both
    public static Estimate ofDifference(float[] values, float[] base) {
        if (values.length != base.length) {
            throw new IllegalArgumentException("estimate: pairs are required, got " + values.length + " and " + base.length + " values");
        }
        float[] differences = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            differences[i] = values[i] - base[i];
        }
        return of(differences);
    }

    /// Such as `5.73 ± 0.24`: two digits of the error that count, and the mean to the same place; a single value stands alone.
    @Override public String toString() {
        if (count == 1 || !(standardError > 0) || !Double.isFinite(mean)) {
            return Table.number(mean) + (count == 1 ? "" : " ± " + Table.number(standardError));
        }
        int decimals = Math.clamp(1 - (long) Math.floor(Math.log10(standardError)), 0, MOST_DECIMALS);
        return String.format(Locale.ROOT, "%." + decimals + "f ± %." + decimals + "f", mean, standardError);
    }
}
