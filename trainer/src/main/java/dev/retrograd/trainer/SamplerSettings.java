package dev.retrograd.trainer;

import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.Guidance;

/// How images are made, in training and in sampling.
///
/// @param steps of the DDIM chain
/// @param guidance scale of classifier-free guidance; 1 or below switches it off
/// @param eta 0 deterministic … 1 ancestral
/// @param height of the image in pixels; likewise the width
/// @param negativePrompt what guidance leads away from
public record SamplerSettings(int steps, double guidance, double eta, int height, int width, String negativePrompt) {

    /// @throws IllegalArgumentException naming the setting, what is allowed and what came
    public SamplerSettings {
        if (steps < 1) {
            throw new IllegalArgumentException("--steps: must be 1 or more, got " + steps);
        }
        if (!Double.isFinite(guidance)) {
            throw new IllegalArgumentException("--guidance: must be a finite number, got " + guidance);
        }
        if (!(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("--eta: must be 0..1, got " + eta);
        }
    }

    /// Checks the settings against a model.
    ///
    /// @throws IllegalArgumentException if its schedule has not so many steps, or its latents cannot have this size
    public void check(StableDiffusion model) {
        model.schedule().ddim(steps);
        int unit = model.vaeDecoder().config().downscale();
        if (height < unit || width < unit || height % unit != 0 || width % unit != 0) {
            throw new IllegalArgumentException("--height and --width: must be multiples of " + unit + ", got " + height + " and " + width);
        }
    }

    /// Shape of one latent, `[C,H,W]` as the ecosystem has it.
    public int[] latentShape(StableDiffusion model) {
        int unit = model.vaeDecoder().config().downscale();
        return new int[] {model.unet().config().inChannels(), height / unit, width / unit};
    }

    public DdimChain chain(StableDiffusion model) {
        return new DdimChain(model.unet(), model.schedule().ddim(steps), new Guidance(guidance), eta);
    }
}
