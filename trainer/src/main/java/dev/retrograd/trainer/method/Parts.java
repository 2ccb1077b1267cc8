package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Segment;
import dev.retrograd.rewards.Reward;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.Optional;

/// What a method works with; it owns none of it.
///
/// @param chain as the run samples
/// @param loss what is minimised, for methods that differentiate the reward
/// @param policy what the tape stores and what it recomputes
/// @param guard penalty on leaving the base model
/// @param noise what is trained instead of weights, for {@link Doodl}
public record Parts(StableDiffusion model, DdimChain chain, Reward reward, RewardLoss loss, Segment.Policy policy, KlGuard guard, Optional<TrainedNoise> noise) {

    /// Of a method that trains weights.
    public Parts(StableDiffusion model, DdimChain chain, Reward reward, RewardLoss loss, Segment.Policy policy, KlGuard guard) {
        this(model, chain, reward, loss, policy, guard, Optional.empty());
    }

    /// Without a penalty.
    public Parts(StableDiffusion model, DdimChain chain, Reward reward, RewardLoss loss, Segment.Policy policy) {
        this(model, chain, reward, loss, policy, KlGuard.NONE);
    }
}
