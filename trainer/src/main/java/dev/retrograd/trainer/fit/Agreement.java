package dev.retrograd.trainer.fit;

import java.util.Arrays;
import java.util.Locale;

/// How well estimates agree with scores.
///
/// @param count of both
/// @param r2 1 − Σ(score − estimate)²/Σ(score − mean)²; 1 is perfect, 0 no better than the mean; NaN if all scores are equal
/// @param spearman correlation of ranks, −1..1, ties sharing their mean rank; NaN if all scores or all estimates are equal
public record Agreement(int count, double r2, double spearman) {

    /// @throws IllegalArgumentException unless there are as many estimates as scores, and two at least
    public static Agreement of(float[] scores, float... estimates) {
        if (scores.length != estimates.length || scores.length < 2) {
            throw new IllegalArgumentException("agreement: two scores or more and as many estimates are required, got " + scores.length + " and " + estimates.length);
        }
        double mean = mean(scores);
        double residual = 0;
        double total = 0;
        for (int i = 0; i < scores.length; i++) {
            residual += (scores[i] - (double) estimates[i]) * (scores[i] - (double) estimates[i]);
            total += (scores[i] - mean) * (scores[i] - mean);
        }
        return new Agreement(scores.length, total == 0 ? Double.NaN : 1 - residual / total, correlation(ranks(scores), ranks(estimates)));
    }

    private static double mean(float... values) {
        double sum = 0;
        for (float v : values) {
            sum += v;
        }
        return sum / values.length;
    }

    private static double correlation(double[] a, double[] b) {
        double mean = (a.length + 1) / 2.0;
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += (a[i] - mean) * (b[i] - mean);
            aa += (a[i] - mean) * (a[i] - mean);
            bb += (b[i] - mean) * (b[i] - mean);
        }
        return ab / Math.sqrt(aa * bb);
    }

    /// Counted from 1.
    private static double[] ranks(float... values) {
        float[] sorted = values.clone();
        Arrays.sort(sorted);
        double[] ranks = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            ranks[i] = (first(sorted, values[i], false) + first(sorted, values[i], true) + 1) / 2.0;
        }
        return ranks;
    }

    /// How many of the sorted values lie below a value, or below and at it.
    private static int first(float[] sorted, float value, boolean beyond) {
        int low = 0;
        int high = sorted.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sorted[middle] < value || beyond && sorted[middle] == value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    @Override public String toString() {
        return String.format(Locale.ROOT, "R² %.4f, Spearman %.4f on %d images", r2, spearman, count);
    }
}
