package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link Ddpo}. Defaults are those of ddpo-pytorch for the aesthetic reward.
///
/// @param clipRange of PPO's ratio
/// @param advantageClip advantages beyond ± this are cut
/// @param buffer rewards that are remembered per prompt
/// @param minimum rewards of a prompt from which on it is compared with itself alone
/// @param updates per inner epoch
/// @param innerEpochs times that an epoch's images are gone through
/// @param timestepFraction share of the steps that an update trains
public record DdpoSettings(double clipRange, double advantageClip, int buffer, int minimum, int updates, int innerEpochs, double timestepFraction) implements MethodSettings {
    private static final int MOST = 10_000;

    public DdpoSettings {
        SettingException.require(clipRange > 0 && clipRange < 1, "--ddpo-clip-range", "above 0 and below 1", clipRange);
        SettingException.require(advantageClip > 0 && Double.isFinite(advantageClip), "--ddpo-advantage-clip", "above 0", advantageClip);
        SettingException.require(buffer >= 1 && buffer <= MOST, "--ddpo-buffer", "1.." + MOST, buffer);
        SettingException.require(minimum >= 1 && minimum <= buffer, "--ddpo-min-count", "1.." + buffer + " (the buffer)", minimum);
        SettingException.require(updates >= 1 && updates <= MOST, "--ddpo-updates-per-epoch", "1.." + MOST, updates);
        SettingException.require(innerEpochs >= 1 && innerEpochs <= MOST, "--ddpo-inner-epochs", "1.." + MOST, innerEpochs);
        SettingException.require(timestepFraction > 0 && timestepFraction <= 1, "--ddpo-timestep-fraction", "above 0 and at most 1", timestepFraction);
    }

    @Override public String id() {
        return "ddpo";
    }

    @Override public boolean needsGradient() {
        return false;
    }

    @Override public void check(SamplerSettings sampler) {
        SettingException.require(sampler.eta() > 0, "--eta", "above 0 with --method ddpo, whose steps are random", sampler.eta());
    }

    @Override public Method start(Parts parts) {
        return new Ddpo(parts, this);
    }

    @Override public String toString() {
        return id() + ", clip range " + clipRange + ", " + updates + " updates per epoch of sampling, inner epochs " + innerEpochs;
    }
}
