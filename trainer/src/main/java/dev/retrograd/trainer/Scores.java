package dev.retrograd.trainer;

/// Statistics of an update's rewards.
final class Scores {
    private Scores() {
    }

    static double mean(float... values) {
        double sum = 0;
        for (float v : values) {
            sum += v;
        }
        return sum / values.length;
    }

    /// Population standard deviation.
    static double std(float... values) {
        double mean = mean(values);
        double sum = 0;
        for (float v : values) {
            sum += (v - mean) * (v - mean);
        }
        return Math.sqrt(sum / values.length);
    }
}
