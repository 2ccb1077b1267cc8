package dev.retrograd.trainer;

import dev.retrograd.rewards.DifferentiableReward;
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

    /// Has the rewards compute ahead what they need of prompts.
    void prepare(List<String> prompts) {
        for (Reward reward : rewards.values()) {
            if (reward instanceof DifferentiableReward differentiable) {
                differentiable.prepare(prompts);
            }
        }
    }

    /// What was measured of a number of images, part by part.
    public Collected collect() {
        return new Collected();
    }

    /// Such as `hps, jpeg-size`.
    @Override public String toString() {
        return rewards.keySet().stream().collect(Collectors.joining(", "));
    }

    @Override public void close() {
        rewards.values().forEach(Reward::close);
    }

    /// Scores of images that come in parts.
    public final class Collected {
        private final SequencedMap<String, List<float[]>> parts = new LinkedHashMap<>();

        private Collected() {
        }

        /// Scores more images.
        public void add(PixelBatch images, List<String> prompts) {
            add(scores(images, prompts));
        }

        /// Takes scores of more images.
        void add(SequencedMap<String, float[]> more) {
            more.forEach((name, scores) -> parts.computeIfAbsent(name, _ -> new ArrayList<>()).add(scores));
        }

        /// All scores of each so far, by its name.
        public SequencedMap<String, float[]> all() {
            SequencedMap<String, float[]> all = new LinkedHashMap<>();
            parts.forEach((name, some) -> {
                float[] values = new float[some.stream().mapToInt(p -> p.length).sum()];
                int at = 0;
                for (float[] part : some) {
                    System.arraycopy(part, 0, values, at, part.length);
                    at += part.length;
                }
                all.put(name, values);
            });
            return all;
        }

        /// The mean over all images of each, by its name.
        SequencedMap<String, Double> means() {
            SequencedMap<String, Double> means = new LinkedHashMap<>();
            all().forEach((name, values) -> means.put(name, Scores.mean(values)));
            return means;
        }
    }
}
