package dev.retrograd.trainer;

import dev.retrograd.core.Backend;
import dev.retrograd.trainer.method.AlignProp;
import java.util.function.Consumer;

/// Rewards and losses of one update's images.
final class Scores {
    private final float[] rewards;
    private final float[] losses;

    Scores(int images) {
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
        };
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
