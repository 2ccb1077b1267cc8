package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import java.util.List;
import java.util.stream.Collectors;

/// A sum of rewards, `Σ weight·R`, each in the unit that it has. It owns them: {@link #close()} closes all.
public final class WeightedSum implements DifferentiableReward {
    private final List<Term> terms;

    /// One reward and what it counts.
    ///
    /// @param weight finite and not 0; below 0 the reward is lowered
    public record Term(DifferentiableReward reward, double weight) {
        public Term {
            requireWeight(reward, weight);
        }
    }

    static void requireWeight(Reward reward, double weight) {
        if (!Double.isFinite(weight) || weight == 0) {
            throw new IllegalArgumentException("weighted sum: the weight of " + reward.name() + " must be a finite number other than 0, got " + weight);
        }
    }

    /// @throws IllegalArgumentException if there is no term
    public WeightedSum(List<Term> terms) {
        this.terms = List.copyOf(terms);
        if (terms.isEmpty()) {
            throw new IllegalArgumentException("weighted sum: at least one reward is required, got none");
        }
    }

    /// Such as `aesthetic:1.0+hps:0.5`.
    @Override public String name() {
        return terms.stream().map(t -> t.reward().name() + ":" + t.weight()).collect(Collectors.joining("+"));
    }

    @Override public void prepare(List<String> prompts) {
        terms.forEach(t -> t.reward().prepare(prompts));
    }

    /// Each term is a segment of its own, so that one model's activations are gone before the next one's are needed.
    @Override public Var score(Var pixels, List<String> prompts) {
        Var sum = null;
        for (Term term : terms) {
            Var part = pixels.tape().segment1(term.reward().name(), in -> term.reward().score(in[0], prompts).affine(term.weight(), 0), pixels);
            sum = sum == null ? part : sum.plus(part);
        }
        return sum;
    }

    @Override public void close() {
        terms.forEach(t -> t.reward().close());
    }
}
