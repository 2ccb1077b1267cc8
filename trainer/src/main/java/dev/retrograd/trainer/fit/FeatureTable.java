package dev.retrograd.trainer.fit;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.FeatureHead;
import dev.retrograd.rewards.clip.ImageFeatures;
import java.io.IOException;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/// The features of images and their scores, on the host: computed once, as the image tower is frozen.
///
/// @param width length C of a feature vector
/// @param features `[N,C]`, row by row; not copied
/// @param scores `[N]`; not copied
public record FeatureTable(int width, float[] features, float[] scores) {
    private static final int AT_ONCE = 1024;

    /// @throws ShapeException unless there is a feature vector for each score
    /// @throws IllegalArgumentException if a score is not finite
    public FeatureTable {
        if (features.length != (long) scores.length * width) {
            throw new ShapeException("features: " + scores.length + " scores take as many vectors of " + width + " values, got " + features.length + " values");
        }
        for (int i = 0; i < scores.length; i++) {
            if (!Float.isFinite(scores[i])) {
                throw new IllegalArgumentException("scores: must be finite, got " + scores[i] + " for image " + i);
            }
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
    public static FeatureTable of(ImageFeatures tower, ImageSource images, Scorer scorer, IntConsumer progress) throws IOException {
        float[] features = new float[Math.multiplyExact(images.size(), tower.width())];
        float[] scores = new float[images.size()];
        int[] done = {0};
        images.forEach((pixels, prompts) -> {
            float[] rows = tower.of(pixels);
            System.arraycopy(rows, 0, features, done[0] * tower.width(), rows.length);
            System.arraycopy(scorer.score(done[0], pixels, prompts), 0, scores, done[0], pixels.batch());
            done[0] += pixels.batch();
            progress.accept(done[0]);
        });
        return new FeatureTable(tower.width(), features, scores);
    }

    public int size() {
        return scores.length;
    }

    /// The features as a constant, `[N,C]`.
    public Var constant(Tape t) {
        return t.constant(t.backend().floats("features", Shape.of(size(), width), features));
    }

    /// The mean squared error of a head's scores, `[]`.
    public Var squaredError(Tape t, FeatureHead head) {
        Var difference = head.forward(constant(t)).minus(t.constant(t.backend().floats("scores", Shape.of(size()), scores)));
        return difference.apply(Unary.pow(2)).apply(SumTo.mean(difference.shape(), Shape.of()));
    }

    /// A head's scores, `[N]`, nothing recorded.
    public float[] estimates(Backend backend, FeatureHead head) {
        float[] estimates = new float[size()];
        for (int first = 0; first < estimates.length; first += AT_ONCE) {
            int[] chosen = IntStream.range(first, Math.min(estimates.length, first + AT_ONCE)).toArray();
            try (Scope _ = backend.memory().open("estimates"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
                float[] some = t.unrecorded(() -> backend.toFloats(head.forward(rows(chosen).constant(t)).value()));
                System.arraycopy(some, 0, estimates, first, some.length);
            }
        }
        return estimates;
    }

    /// Some of its rows, in this order.
    public FeatureTable rows(int... chosen) {
        float[] some = new float[chosen.length * width];
        float[] theirs = new float[chosen.length];
        for (int i = 0; i < chosen.length; i++) {
            System.arraycopy(features, chosen[i] * width, some, i * width, width);
            theirs[i] = scores[chosen[i]];
        }
        return new FeatureTable(width, some, theirs);
    }
}
