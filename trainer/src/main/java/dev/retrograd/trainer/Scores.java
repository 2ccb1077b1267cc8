package dev.retrograd.trainer;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.method.AlignProp;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;

/// Rewards and losses of one update's images.
final class Scores {
    private final float[] rewards;
    private final float[] losses;
    private final Tracked tracked;
    private final Tracked.Collected measured;
    /// The images of the last pass, where something is measured of them.
    private Optional<PixelBatch> images = Optional.empty();

    /// @param tracked what is measured of the images beside
    Scores(int images, Tracked tracked) {
        this.tracked = tracked;
        measured = tracked.collect();
        rewards = new float[images];
        losses = new float[images];
    }

    /// Takes down a pass whose first image has this number.
    Consumer<AlignProp.Pass> collector(int first) {
        return pass -> {
            Backend b = pass.scores().tape().backend();
            float[] r = b.toFloats(pass.scores().value());
            System.arraycopy(r, 0, rewards, first, r.length);
            System.arraycopy(b.toFloats(pass.losses().value()), 0, losses, first, r.length);
            images = tracked.isEmpty() ? Optional.empty() : Optional.of(PixelBatch.of(b, pass.pixels().value()));
        };
    }

    /// Measures the images of the last pass, after it has freed its memory.
    void track(List<String> prompts) {
        images.ifPresent(i -> measured.add(i, prompts));
        images = Optional.empty();
    }

    /// Means over all images of what is measured beside the reward.
    SequencedMap<String, Double> tracked() {
        return measured.means();
    }

    double mean() {
        return mean(rewards);
    }

    double loss() {
        return mean(losses);
    }

    /// Population standard deviation.
    double std() {
        double mean = mean();
        double sum = 0;
        for (float r : rewards) {
            sum += (r - mean) * (r - mean);
        }
        return Math.sqrt(sum / rewards.length);
    }

    static double mean(float... values) {
        double sum = 0;
        for (float v : values) {
            sum += v;
        }
        return sum / values.length;
    }
}
