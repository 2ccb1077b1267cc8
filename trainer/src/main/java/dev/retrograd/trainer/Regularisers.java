package dev.retrograd.trainer;

import java.util.OptionalDouble;

/// What keeps a model from collapsing onto what the reward likes best; all off by default. (The moving average is the optimiser's.)
///
/// @param kl coefficient of the penalty on leaving the base model's predictions; 0 for none
/// @param patience sample grids without a new best reward on held-out prompts after which training stops; 0: never
/// @param diversityPrompts prompts whose diversity is measured with every sample grid, where there is a CLIP; 0: none
/// @param diversityFloor diversity below which training stops; empty: never
public record Regularisers(double kl, int patience, int diversityPrompts, OptionalDouble diversityFloor) {
    /// Nothing is held back, nor measured.
    public static final Regularisers NONE = new Regularisers(0, 0, 0, OptionalDouble.empty());
    private static final int MOST_PROMPTS = 10_000;

    /// @throws SettingException naming the setting, what is allowed and what came
    public Regularisers {
        SettingException.require(kl >= 0 && Double.isFinite(kl), "--kl-coefficient", "0 (off) or more", kl);
        SettingException.require(patience >= 0, "--stop-patience", "0 (never) or more", patience);
        SettingException.require(diversityPrompts >= 0 && diversityPrompts <= MOST_PROMPTS, "--diversity-prompts", "0.." + MOST_PROMPTS, diversityPrompts);
        diversityFloor.ifPresent(f -> SettingException.require(f > 0 && f < 2, "--diversity-floor", "above 0 and below 2", f));
        SettingException.require(diversityFloor.isEmpty() || diversityPrompts > 0, "--diversity-prompts", "1 or more with --diversity-floor", diversityPrompts);
    }
}
