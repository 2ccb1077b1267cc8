package dev.retrograd.rewards;

import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/// A sum of rewards of which at least one has no gradient, `Σ weight·R`, each in the unit that it has. It owns them: {@link #close()} closes all.
public final class BlackBoxSum implements BlackBoxReward {
    private final List<Term> terms;
    private final Scoring scoring;

    /// One reward and what it counts.
    ///
    /// @param weight finite and not 0; below 0 the reward is lowered
    /// @param target makes it `−|target − R|`; empty for R itself
    public record Term(Reward reward, double weight, OptionalDouble target) {
        public Term {
            WeightedSum.requireWeight(reward, weight);
        }

        private String name() {
            return reward.name() + (target.isPresent() ? "@" + target.getAsDouble() : "") + ":" + weight;
        }

        private double value(float score) {
            return weight * (target.isPresent() ? -Math.abs(target.getAsDouble() - score) : score);
        }
    }

    /// @param scoring of those terms that have a gradient
    /// @throws IllegalArgumentException if there is no term
    public BlackBoxSum(List<Term> terms, Scoring scoring) {
        this.terms = List.copyOf(terms);
        this.scoring = scoring;
        if (terms.isEmpty()) {
            throw new IllegalArgumentException("weighted sum: at least one reward is required, got none");
        }
    }

    /// Such as `aesthetic:1.0+jpeg-size:-0.5`.
    @Override public String name() {
        return terms.stream().map(Term::name).collect(Collectors.joining("+"));
    }

    @Override public float[] score(PixelBatch images, List<String> prompts) {
        double[] sums = new double[images.batch()];
        for (Term term : terms) {
            float[] scores = scoring.of(term.reward(), images, prompts);
            for (int i = 0; i < sums.length; i++) {
                sums[i] += term.value(scores[i]);
            }
        }
        float[] all = new float[sums.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = (float) sums[i];
        }
        return all;
    }

    @Override public void close() {
        terms.forEach(t -> t.reward().close());
    }
}
