package dev.retrograd.trainer.method;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// The latest rewards of each prompt, by which a reward becomes an advantage: how far it lies from its prompt's mean, in standard deviations.
///
/// A prompt with few rewards is compared with the batch instead. Source: DDPO (arXiv 2305.13301), §4.2. Parity: ddpo-pytorch `PerPromptStatTracker`.
public final class PromptStatistics {
    private static final double EPS = 1e-6;
    private static final double EPS_WITHOUT_PROMPTS = 1e-8;

    private final int buffer;
    private final int minimum;
    private final SequencedMap<String, Deque<Float>> latest = new LinkedHashMap<>();

    /// @param buffer rewards that are remembered per prompt, upstream 32
    /// @param minimum rewards from which on a prompt's own mean and deviation are used, upstream 16
    public PromptStatistics(int buffer, int minimum) {
        this.buffer = buffer;
        this.minimum = minimum;
    }

    /// Takes in a batch.
    ///
    /// @return an advantage for each reward
    public float[] advantages(List<String> prompts, float... rewards) {
        Map<String, List<Integer>> places = new LinkedHashMap<>();
        for (int i = 0; i < rewards.length; i++) {
            places.computeIfAbsent(prompts.get(i), _ -> new ArrayList<>()).add(i);
        }
        List<Float> all = boxed(rewards);
        float[] advantages = new float[rewards.length];
        places.forEach((prompt, where) -> {
            Deque<Float> own = latest.computeIfAbsent(prompt, _ -> new ArrayDeque<>());
            where.forEach(i -> own.addLast(rewards[i]));
            while (own.size() > buffer) {
                own.removeFirst();
            }
            Collection<Float> basis = own.size() < minimum ? all : own;
            double mean = mean(basis);
            double std = std(basis, mean) + EPS;
            where.forEach(i -> advantages[i] = (float) ((rewards[i] - mean) / std));
        });
        return advantages;
    }

    /// Advantages by the batch alone.
    public static float[] plain(float... rewards) {
        List<Float> all = boxed(rewards);
        double mean = mean(all);
        double std = std(all, mean) + EPS_WITHOUT_PROMPTS;
        float[] advantages = new float[rewards.length];
        for (int i = 0; i < rewards.length; i++) {
            advantages[i] = (float) ((rewards[i] - mean) / std);
        }
        return advantages;
    }

    private static List<Float> boxed(float... values) {
        List<Float> all = new ArrayList<>();
        for (float v : values) {
            all.add(v);
        }
        return all;
    }

    private static double mean(Collection<Float> values) {
        return values.stream().mapToDouble(Float::doubleValue).sum() / values.size();
    }

    /// Population standard deviation.
    private static double std(Collection<Float> values, double mean) {
        return Math.sqrt(values.stream().mapToDouble(v -> (v - mean) * (v - mean)).sum() / values.size());
    }

    /// The remembered rewards by prompt, oldest first.
    SequencedMap<String, float[]> state() {
        SequencedMap<String, float[]> state = new LinkedHashMap<>();
        latest.forEach((prompt, values) -> {
            float[] all = new float[values.size()];
            int at = 0;
            for (float v : values) {
                all[at++] = v;
            }
            state.put(prompt, all);
        });
        return state;
    }

    /// Takes over what {@link #state} gave.
    void restore(Map<String, float[]> state) {
        latest.clear();
        state.forEach((prompt, values) -> latest.put(prompt, new ArrayDeque<>(boxed(values))));
    }
}
