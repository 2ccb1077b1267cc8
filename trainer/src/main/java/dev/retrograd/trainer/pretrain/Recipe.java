package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;

/// Everything that decides what the miniature model becomes, beside the code: the seed and how long each stage is fitted.
///
/// @param latents training pictures that the UNet learns from, encoded once
/// @param measured pictures that a measurement takes
public record Recipe(long seed, FitSettings vae, FitSettings clip, FitSettings judge, FitSettings unet, FitSettings decoder, int latents, int measured) {
    /// The recipe of the model inside the jar.
    public static final Recipe MINIATURE = new Recipe(2026,
            new FitSettings(9000, 16, 2e-3, 100, 0.995),
            new FitSettings(2200, 96, 2e-3, 40, 0.98),
            new FitSettings(900, 64, 2e-3, 40, 0.98),
            new FitSettings(5000, 64, 1.5e-3, 150, 0.998),
            new FitSettings(3500, 4, 1.5e-3, 50, 0.995), 16_000, 256);

    /// The share of updates whose caption is dropped, so that guidance has an unconditional prediction.
    static final double DROPPED_CAPTIONS = 0.12;

    /// @throws IllegalArgumentException if there are no latents, or nothing is to be measured
    public Recipe {
        if (latents < 1 || measured < 1) {
            throw new IllegalArgumentException("recipe: latents and measured must be 1 or more, got " + latents + " and " + measured);
        }
    }

    /// The same with another seed.
    public Recipe withSeed(long other) {
        return new Recipe(other, vae, clip, judge, unet, decoder, latents, measured);
    }

    /// A recipe that runs through every stage in seconds and learns next to nothing.
    public static Recipe rehearsal(int steps, int batch) {
        return new Recipe(1, MINIATURE.vae.withSteps(steps).withBatch(batch), MINIATURE.clip.withSteps(steps).withBatch(batch),
                MINIATURE.judge.withSteps(steps).withBatch(batch), MINIATURE.unet.withSteps(steps).withBatch(batch), MINIATURE.decoder.withSteps(steps).withBatch(batch), 2 * batch, 2 * batch);
    }

    /// The stream of a stage's noise at a step.
    RandomStream noise(StageKey stage, long step) {
        return RandomStream.keyed(seed, stage.noise(), step);
    }
}
