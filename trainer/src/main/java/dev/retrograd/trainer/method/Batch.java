package dev.retrograd.trainer.method;

import dev.retrograd.core.Tensor;
import java.util.List;
import java.util.function.IntFunction;

/// What one pass through the chain starts from; its tensors outlive the pass.
///
/// @param latents x_T, `[B,H,W,C]`
/// @param context text embedding, `[2B,M,D]` in the order [uncond, text] where guidance is active, else `[B,M,D]`
/// @param prompts of the B images
/// @param first number of the first image within the update
/// @param noise of a step, `[B,H,W,C]`; read only when eta > 0, and the same each time that it is asked for
public record Batch(Tensor latents, Tensor context, List<String> prompts, int first, IntFunction<Tensor> noise) {

    public Batch {
        prompts = List.copyOf(prompts);
        if (latents.dim(0) != prompts.size()) {
            throw new IllegalArgumentException("batch: needs a prompt for each of the " + latents.dim(0) + " latents, got " + prompts.size());
        }
    }
}
