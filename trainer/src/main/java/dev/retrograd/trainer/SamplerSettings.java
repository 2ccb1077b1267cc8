package dev.retrograd.trainer;

import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.diffusion.Guidance;
import java.util.OptionalDouble;

/// How images are made, in training and in sampling.
///
/// @param steps of the DDIM chain
/// @param guidance scale of classifier-free guidance; 1 or below switches it off
/// @param eta 0 deterministic … 1 ancestral
/// @param height of the image in pixels; likewise the width
/// @param negativePrompt what guidance leads away from
/// @param edict p of EDICT's coupled chain instead of DDIM's; empty for DDIM
public record SamplerSettings(int steps, double guidance, double eta, int height, int width, String negativePrompt, OptionalDouble edict) {
    /// No picture that a person looks at is larger, and an image's values fit into an array.
    private static final int LARGEST_SIDE = 1 << 14;

    /// @throws SettingException naming the setting, what is allowed and what came
    public SamplerSettings {
        SettingException.require(steps >= 1, "--steps", "1 or more", steps);
        SettingException.require(Double.isFinite(guidance), "--guidance", "a finite number", guidance);
        SettingException.require(eta >= 0 && eta <= 1, "--eta", "0..1", eta);
        SettingException.require(edict.isEmpty() || edict.getAsDouble() > 0 && edict.getAsDouble() <= 1, "--edict-mix", "above 0 and at most 1", edict);
        SettingException.require(edict.isEmpty() || eta == 0, "--eta", "0 with --sampler edict, whose steps draw no noise", eta);
        requireSide("--height", height);
        requireSide("--width", width);
    }

    /// DDIM's.
    public SamplerSettings(int steps, double guidance, double eta, int height, int width, String negativePrompt) {
        this(steps, guidance, eta, height, width, negativePrompt, OptionalDouble.empty());
    }

    /// Checks the settings against a model.
    ///
    /// @throws SettingException if its schedule has not so many steps, or its latents cannot have this size
    public void check(StableDiffusion model) {
        SettingException.named("--steps", () -> model.schedule().ddim(steps));
        int unit = model.vaeDecoder().config().downscale();
        SettingException.require(height % unit == 0, "--height", "a multiple of " + unit, height);
        SettingException.require(width % unit == 0, "--width", "a multiple of " + unit, width);
    }

    private static void requireSide(String flag, int pixels) {
        SettingException.require(pixels >= 1 && pixels <= LARGEST_SIDE, flag, "1.." + LARGEST_SIDE + " pixels", pixels);
    }

    /// Shape of one latent, `[C,H,W]` as the ecosystem has it.
    public int[] latentShape(StableDiffusion model) {
        int unit = model.vaeDecoder().config().downscale();
        return new int[] {model.unet().config().inChannels(), height / unit, width / unit};
    }

    public DdimChain chain(StableDiffusion model) {
        return new DdimChain(model.unet(), model.schedule().ddim(steps), new Guidance(guidance), eta, edict);
    }
}
