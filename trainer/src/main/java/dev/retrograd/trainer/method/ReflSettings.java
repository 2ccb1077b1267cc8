package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link Refl}: the loss is `scale·relu(margin − R)`.
///
/// @param margin reward beyond which nothing is gained; upstream 2, for rewards of mean 0 and deviation 1
/// @param scale upstream 1e-3
public record ReflSettings(double margin, double scale) implements MethodSettings {

    public ReflSettings {
        SettingException.require(Double.isFinite(margin), "--refl-margin", "a finite number", margin);
        SettingException.require(scale > 0 && Double.isFinite(scale), "--refl-scale", "above 0", scale);
    }

    @Override public String id() {
        return "refl";
    }

    @Override public void check(SamplerSettings sampler) {
        MethodSettings.requireUncoupled(id(), sampler);
    }

    @Override public RewardLoss loss(RewardLoss asked) {
        if (asked instanceof RewardLoss.Target) {
            throw new SettingException("--target: must be left out with --method refl, whose --refl-margin bounds the reward");
        }
        return new RewardLoss.Hinge(margin, scale);
    }

    @Override public Method start(Parts parts) {
        return new Refl(parts, MethodSettings.differentiable(parts.reward()));
    }

    @Override public String toString() {
        return id();
    }
}
