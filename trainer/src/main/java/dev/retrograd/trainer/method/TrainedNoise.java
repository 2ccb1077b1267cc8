package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Parameter;
import java.util.List;

/// Initial latents that are trained instead of weights.
///
/// @param prompts of the images
/// @param latents x_T of each, `[1,H,W,C]`
public record TrainedNoise(List<String> prompts, List<Parameter> latents) {

    public TrainedNoise {
        prompts = List.copyOf(prompts);
        latents = List.copyOf(latents);
        if (prompts.size() != latents.size()) {
            throw new IllegalArgumentException("noise: needs a latent for each of the " + prompts.size() + " prompts, got " + latents.size());
        }
    }
}
