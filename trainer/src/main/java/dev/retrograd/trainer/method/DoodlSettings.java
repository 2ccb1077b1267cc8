package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.optim.SphericalMomentum;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link Doodl}.
///
/// @param step how a gradient moves the noise
public record DoodlSettings(SphericalMomentum.Hyperparameters step) implements MethodSettings {

    /// @throws SettingException naming the setting, what is allowed and what came
    public static DoodlSettings of(double momentum, double clip, double noise) {
        SettingException.require(momentum >= 0 && momentum < 1, "--doodl-momentum", "0 or more and below 1", momentum);
        SettingException.require(clip > 0 && Double.isFinite(clip), "--doodl-clip", "above 0", clip);
        SettingException.require(noise >= 0 && Double.isFinite(noise), "--doodl-noise", "0 or more", noise);
        return new DoodlSettings(new SphericalMomentum.Hyperparameters(momentum, clip, noise));
    }

    @Override public String id() {
        return "doodl";
    }

    @Override public boolean trainsWeights() {
        return false;
    }

    /// Each noise prediction has a tape of its own, on which there is nothing to save by making it twice.
    @Override public Segment.Policy usualPolicy() {
        return path -> path.startsWith("step ") ? Segment.Retention.STORE : AlignProp.RECOMPUTE_OUTERMOST.of(path);
    }

    @Override public void check(SamplerSettings sampler) {
        SettingException.require(sampler.edict().isPresent(), "--sampler", "edict with --method doodl, which undoes its steps", "another");
    }

    @Override public Method start(Parts parts) {
        return new Doodl(parts, MethodSettings.differentiable(parts.reward()));
    }

    @Override public String toString() {
        return id() + ", momentum " + step.momentum() + ", gradient clipped to " + step.clip() + ", noise " + step.noise();
    }
}
