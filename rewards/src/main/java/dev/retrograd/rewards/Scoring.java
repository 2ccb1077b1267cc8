package dev.retrograd.rewards;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import java.util.Arrays;
import java.util.List;

/// Values of any reward for images on the host, with nothing recorded: for evaluation, for metrics, and for methods that need no gradient.
///
/// @param atOnce images that are scored together, which changes memory and time
public record Scoring(Backend backend, int atOnce) {

    public Scoring {
        if (atOnce < 1) {
            throw new IllegalArgumentException("scoring: at least one image at once is required, got " + atOnce);
        }
    }

    /// @param prompts one for each image
    /// @return a score for each image; what was computed on the backend is freed
    public float[] of(Reward reward, PixelBatch images, List<String> prompts) {
        if (prompts.size() != images.batch()) {
            throw new IllegalArgumentException("scoring: one prompt for each of " + images.batch() + " images is required, got " + prompts.size());
        }
        return switch (reward) {
            case BlackBoxReward blackBox -> blackBox.score(images, prompts);
            case DifferentiableReward differentiable -> forward(differentiable, images, prompts);
        };
    }

    private float[] forward(DifferentiableReward reward, PixelBatch images, List<String> prompts) {
        reward.prepare(prompts);
        float[] all = new float[images.batch()];
        int values = images.height() * images.width() * 3;
        for (int first = 0; first < all.length; first += atOnce) {
            int count = Math.min(atOnce, all.length - first);
            float[] part = Arrays.copyOfRange(images.pixels(), first * values, (first + count) * values);
            List<String> texts = prompts.subList(first, first + count);
            try (Scope _ = backend.memory().open("score"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
                float[] scores = tape.unrecorded(() -> backend.toFloats(
                        reward.score(tape.constant(backend.floats("pixels", Shape.of(count, images.height(), images.width(), 3), part)), texts).value()));
                System.arraycopy(scores, 0, all, first, count);
            }
        }
        return all;
    }
}
