package dev.retrograd.trainer.fit;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.ShapeException;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.ImageFeatures;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/// The features of images and their scores, on the host: computed once, as the image tower is frozen.
///
/// @param width length C of a feature vector
/// @param features `[N,C]`, row by row; not copied
/// @param scores `[N]`; not copied
public record FeatureTable(int width, float[] features, float[] scores) {

    /// @throws ShapeException unless there is a feature vector for each score
    public FeatureTable {
        if (features.length != (long) scores.length * width) {
            throw new ShapeException("features: " + scores.length + " scores take as many vectors of " + width + " values, got " + features.length + " values");
        }
    }

    /// Scores images.
    @FunctionalInterface public interface Scorer {

        /// @param first number of the first of these images among all
        /// @param prompts one for each image
        /// @return a score for each image
        float[] score(int first, PixelBatch pixels, List<String> prompts);
    }

    /// Computes features and scores image by image.
    ///
    /// @param progress is told the number of images done so far
    /// @throws IOException if an image cannot be read
    public static FeatureTable of(Backend backend, ImageFeatures tower, ImageSource images, Scorer scorer, IntConsumer progress) throws IOException {
        float[] features = new float[Math.multiplyExact(images.size(), tower.width())];
        float[] scores = new float[images.size()];
        int[] done = {0};
        images.forEach((pixels, prompts) -> {
            float[] rows = rows(backend, tower, pixels);
            System.arraycopy(rows, 0, features, done[0] * tower.width(), rows.length);
            System.arraycopy(scorer.score(done[0], pixels, prompts), 0, scores, done[0], pixels.batch());
            done[0] += pixels.batch();
            progress.accept(done[0]);
        });
        return new FeatureTable(tower.width(), features, scores);
    }

    private static float[] rows(Backend backend, ImageFeatures tower, PixelBatch pixels) {
        try (Scope _ = backend.memory().open("features"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return t.unrecorded(() -> backend.toFloats(tower.of(t.constant(backend.floats("pixels", pixels.shape(), pixels.pixels()))).value()));
        }
    }

    public int size() {
        return scores.length;
    }

    /// Some of its rows, in this order.
    FeatureTable rows(int... chosen) {
        float[] some = new float[chosen.length * width];
        float[] theirs = new float[chosen.length];
        for (int i = 0; i < chosen.length; i++) {
            System.arraycopy(features, chosen[i] * width, some, i * width, width);
            theirs[i] = scores[chosen[i]];
        }
        return new FeatureTable(width, some, theirs);
    }

    /// Mean of each feature.
    double[] means() {
        double[] mean = new double[width];
        for (int i = 0; i < features.length; i++) {
            mean[i % width] += features[i] / (double) size();
        }
        return mean;
    }

    /// Standard deviation of each feature, at least a hundredth of their mean: one that hardly varied in the fit is not to outweigh the others where it does.
    double[] deviations() {
        double[] mean = means();
        double[] std = new double[width];
        for (int i = 0; i < features.length; i++) {
            double d = features[i] - mean[i % width];
            std[i % width] += d * d / size();
        }
        Arrays.setAll(std, i -> Math.sqrt(std[i]));
        double least = 0.01 * Arrays.stream(std).average().orElseThrow();
        Arrays.setAll(std, i -> Math.max(std[i], least));
        return std;
    }
}
