package dev.retrograd.trainer;

import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.Scoring;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Collectors;

/// Rewards that are measured beside the trained one and never trained, so that reward hacking is seen. It owns them: {@link #close()} closes all.
///
/// They score images that were copied to the host, after the pass that made them has freed its memory.
public final class Tracked implements AutoCloseable {
    private final SequencedMap<String, Reward> rewards;
    private final Scoring scoring;

    /// @param rewards by the names that metrics call them
    public Tracked(SequencedMap<String, Reward> rewards, Scoring scoring) {
        this.rewards = new LinkedHashMap<>(rewards);
        this.scoring = scoring;
    }

    /// Measures nothing.
    public static Tracked nothing(Scoring scoring) {
        return new Tracked(new LinkedHashMap<>(), scoring);
    }

    public boolean isEmpty() {
        return rewards.isEmpty();
    }

    /// Scores images.
    ///
    /// @param prompts one for each image
    /// @return for each reward, by its name, a score of each image
    public SequencedMap<String, float[]> scores(PixelBatch images, List<String> prompts) {
        SequencedMap<String, float[]> all = new LinkedHashMap<>();
        rewards.forEach((name, reward) -> all.put(name, scoring.of(reward, images, prompts)));
        return all;
    }

    /// What was measured of a number of images, part by part.
    Collected collect() {
        return new Collected();
    }

    /// Such as `hps, jpeg-size`.
    @Override public String toString() {
        return rewards.keySet().stream().collect(Collectors.joining(", "));
    }

    @Override public void close() {
        rewards.values().forEach(Reward::close);
    }

    /// Means over the parts of an update.
    final class Collected {
        private final SequencedMap<String, List<float[]>> parts = new LinkedHashMap<>();

        /// Scores more images.
        void add(PixelBatch images, List<String> prompts) {
            scores(images, prompts).forEach((name, scores) -> parts.computeIfAbsent(name, _ -> new ArrayList<>()).add(scores));
        }

        /// The mean over all images of each, by its name.
        SequencedMap<String, Double> means() {
            SequencedMap<String, Double> means = new LinkedHashMap<>();
            parts.forEach((name, values) -> {
                double sum = 0;
                long count = 0;
                for (float[] part : values) {
                    for (float v : part) {
                        sum += v;
                    }
                    count += part.length;
                }
                means.put(name, sum / count);
            });
            return means;
        }
    }
}
