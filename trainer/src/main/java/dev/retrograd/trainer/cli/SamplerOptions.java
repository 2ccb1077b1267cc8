package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.unet.StableDiffusion;
import picocli.CommandLine.Option;

/// How images are made; the defaults are the paper's.
final class SamplerOptions {
    @Option(names = "--steps", paramLabel = "N", defaultValue = "50", description = "DDIM steps; default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--guidance", paramLabel = "SCALE", defaultValue = "7.5", description = "Scale of classifier-free guidance; 1 or below: none; default: ${DEFAULT-VALUE}.")
    private double guidance;

    @Option(names = "--eta", paramLabel = "ETA", defaultValue = "0", description = "0 deterministic DDIM … 1 ancestral sampling; default: ${DEFAULT-VALUE}.")
    private double eta;

    @Option(names = "--height", paramLabel = "PIXELS", description = "Height of the images; default: the model's.")
    private Integer height;

    @Option(names = "--width", paramLabel = "PIXELS", description = "Width of the images; default: the model's.")
    private Integer width;

    @Option(names = "--negative-prompt", paramLabel = "TEXT", defaultValue = "", description = "What guidance leads away from; default: nothing.")
    private String negativePrompt;

    String negativePrompt() {
        return negativePrompt;
    }

    SamplerSettings settings(StableDiffusion model) {
        int size = model.imageSize();
        return new SamplerSettings(steps, guidance, eta, height == null ? size : height, width == null ? size : width, negativePrompt);
    }
}
