package dev.retrograd.trainer.fit;

import dev.retrograd.rewards.clip.HeadWeights;

/// Features and scores shifted and scaled to mean 0 and deviation 1, which is what a head is fitted to.
///
/// @param mean of each feature
/// @param std of each feature; one that hardly varies has a hundredth of the others' mean, so that it does not outweigh them where it does
/// @param scoreMean mean of the scores
/// @param scoreStd deviation of the scores, above 0
public record Standardisation(double[] mean, double[] std, double scoreMean, double scoreStd) {
    private static final double LEAST = 0.01;

    /// That of a table.
    ///
    /// @throws IllegalArgumentException if the scores are all the same
    public static Standardisation of(FeatureTable table) {
        float[] scores = table.scores();
        boolean differ = false;
        double scoreMean = 0;
        for (float s : scores) {
            differ |= s != scores[0];
            scoreMean += s / (double) scores.length;
        }
        if (!differ) {
            throw new IllegalArgumentException("fit-reward: scores must differ, got " + scores.length + " times " + scores[0]);
        }
        double variance = 0;
        for (float s : scores) {
            variance += (s - scoreMean) * (s - scoreMean) / scores.length;
        }
        double[] mean = means(table);
        return new Standardisation(mean, deviations(table, mean), scoreMean, Math.sqrt(variance));
    }

    private static double[] means(FeatureTable table) {
        double[] mean = new double[table.width()];
        for (int i = 0; i < table.features().length; i++) {
            mean[i % mean.length] += table.features()[i] / (double) table.size();
        }
        return mean;
    }

    private static double[] deviations(FeatureTable table, double... mean) {
        double[] variance = new double[mean.length];
        for (int i = 0; i < table.features().length; i++) {
            double d = table.features()[i] - mean[i % mean.length];
            variance[i % mean.length] += d * d / table.size();
        }
        double[] std = new double[mean.length];
        double sum = 0;
        for (int c = 0; c < std.length; c++) {
            std[c] = Math.sqrt(variance[c]);
            sum += std[c];
        }
        for (int c = 0; c < std.length; c++) {
            std[c] = Math.max(std[c], LEAST * sum / std.length);
        }
        return std;
    }

    /// A table's features and scores, standardised.
    public FeatureTable apply(FeatureTable table) {
        float[] features = table.features().clone();
        for (int i = 0; i < features.length; i++) {
            int c = i % mean.length;
            features[i] = (float) ((features[i] - mean[c]) / std[c]);
        }
        float[] scores = table.scores().clone();
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) ((scores[i] - scoreMean) / scoreStd);
        }
        return new FeatureTable(table.width(), features, scores);
    }

    /// The head of plain features and scores that is this one of standardised ones.
    public HeadWeights undo(HeadWeights head) {
        return head.of(mean, std, scoreStd, scoreMean);
    }
}
