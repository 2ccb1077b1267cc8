package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Unary;
import java.util.List;
import java.util.Locale;

/// How close a reward comes to a wanted value: `−|target − R|`, 0 at best, in the reward's unit. It owns the reward: {@link #close()} closes it.
///
/// Source: the released AlignProp code, whose aesthetic loss is |10 − R|.
public final class TargetReward implements DifferentiableReward {
    private final DifferentiableReward reward;
    private final double target;

    /// @throws IllegalArgumentException if the target is no finite number
    public TargetReward(DifferentiableReward reward, double target) {
        if (!Double.isFinite(target)) {
            throw new IllegalArgumentException("target: must be a finite number, got " + target);
        }
        this.reward = reward;
        this.target = target;
    }

    /// Such as `aesthetic@7.5`.
    @Override public String name() {
        return String.format(Locale.ROOT, "%s@%s", reward.name(), target);
    }

    @Override public void prepare(List<String> prompts) {
        reward.prepare(prompts);
    }

    @Override public Var score(Var pixels, List<String> prompts) {
        return reward.score(pixels, prompts).affine(1, -target).apply(Unary.ABS).affine(-1, 0);
    }

    @Override public void close() {
        reward.close();
    }
}
