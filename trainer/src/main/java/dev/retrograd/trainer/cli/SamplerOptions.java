package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.StableDiffusion;
import java.util.OptionalDouble;
import picocli.CommandLine.Option;

/// How images are made; the defaults are the paper's.
final class SamplerOptions {
    @Option(names = "--steps", paramLabel = "N", defaultValue = "50", description = "DDIM steps; default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--guidance", paramLabel = "SCALE", defaultValue = "7.5", description = "Scale of classifier-free guidance; 1 or below: none; default: ${DEFAULT-VALUE}.")
    private double guidance;

    @Option(names = "--eta", paramLabel = "ETA", defaultValue = "0", description = "0 deterministic DDIM … 1 ancestral sampling; default: ${DEFAULT-VALUE}.")
    private double eta;

    @Option(names = "--sampler", paramLabel = "SAMPLER", defaultValue = "ddim", description = "ddim, ancestral (DDIM with eta 1), or edict (two coupled latents, exactly invertible); default: ${DEFAULT-VALUE}.")
    private Kind sampler;

    @Option(names = "--edict-mix", paramLabel = "P", defaultValue = "0.93", description = "With --sampler edict: share of each latent that mixing with the other leaves; default: ${DEFAULT-VALUE}.")
    private double edictMix;

    @Option(names = "--height", paramLabel = "PIXELS", description = "Height of the images; default: the model's.")
    private Integer height;

    @Option(names = "--width", paramLabel = "PIXELS", description = "Width of the images; default: the model's.")
    private Integer width;

    @Option(names = "--negative-prompt", paramLabel = "TEXT", defaultValue = "", description = "What guidance leads away from; default: nothing.")
    private String negativePrompt;

    enum Kind { DDIM, ANCESTRAL, EDICT }

    String negativePrompt() {
        return negativePrompt;
    }

    SamplerSettings settings(StableDiffusion model) {
        int size = model.imageSize();
        SettingException.require(sampler != Kind.ANCESTRAL || eta == 0 || eta == 1, "--eta", "left out or 1 with --sampler ancestral", eta);
        double noise = sampler == Kind.ANCESTRAL ? 1 : eta;
        return new SamplerSettings(steps, guidance, noise, height == null ? size : height, width == null ? size : width, negativePrompt,
                sampler == Kind.EDICT ? OptionalDouble.of(edictMix) : OptionalDouble.empty());
    }
}
