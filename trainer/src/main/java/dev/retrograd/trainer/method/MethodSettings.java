package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Segment;
import dev.retrograd.rewards.BlackBoxReward;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.Reward;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/// Which method trains, with its own settings.
public sealed interface MethodSettings permits AlignPropSettings, DdpoSettings, DoodlSettings, DraftLvSettings, DrTuneSettings, ReflSettings, RwrSettings {

    /// As the command line calls the method.
    String id();

    /// Whether the method differentiates the reward, and cannot raise one without gradient.
    default boolean needsGradient() {
        return true;
    }

    /// Whether weights are trained, and not noise.
    default boolean trainsWeights() {
        return true;
    }

    /// What the tape stores and what it recomputes unless a budget decides.
    default Segment.Policy usualPolicy() {
        return AlignProp.RECOMPUTE_OUTERMOST;
    }

    /// Checks the settings against the sampler's.
    ///
    /// @throws SettingException naming the setting, what is allowed and what came
    void check(SamplerSettings sampler);

    /// Checks the settings against the images per update.
    ///
    /// @throws SettingException naming the setting, what is allowed and what came
    default void checkBatch(int images) {
        SettingException.require(images >= 1, "--batch-size", "1 or more", images);
    }

    /// What is minimised, given what the rewards' settings ask for.
    default RewardLoss loss(RewardLoss asked) {
        return asked;
    }

    /// Most steps that an update differentiates; empty where their number is no setting of the method's.
    default OptionalInt mostSteps(int steps) {
        return OptionalInt.empty();
    }

    /// The same with always so many differentiated steps, where {@link #mostSteps} is there.
    default MethodSettings withSteps(int k) {
        return this;
    }

    /// Steps that an update differentiates on average, for an estimate; empty where it is always the same.
    default OptionalDouble meanSteps(int steps) {
        return OptionalDouble.empty();
    }

    /// The method at work.
    ///
    /// @throws IllegalArgumentException if it cannot raise this reward
    Method start(Parts parts);

    /// A reward as one with a gradient.
    ///
    /// @throws IllegalArgumentException if it has none
    static DifferentiableReward differentiable(Reward reward) {
        return switch (reward) {
            case DifferentiableReward d -> d;
            case BlackBoxReward b -> throw new IllegalArgumentException("method: must have a reward with a gradient, got " + b.name());
        };
    }

    /// Refuses EDICT for a method that takes single steps of its own.
    ///
    /// @throws SettingException if the sampler is EDICT
    static void requireUncoupled(String method, SamplerSettings sampler) {
        SettingException.require(sampler.edict().isEmpty(), "--sampler", "ddim or ancestral with --method " + method, "edict");
    }
}
