package dev.retrograd.trainer;

import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.evaluate.Diversity;
import java.util.Collections;
import java.util.List;
import java.util.function.IntConsumer;

/// How much a model's images of one prompt differ at a time of a run: some prompts, the same noise each time. See {@link Diversity}.
final class SampledDiversity {
    /// Images of each prompt: six pairs.
    private static final int IMAGES = 4;
    /// Keys the noise apart from that of every update and of the sample grids.
    private static final int NO_UPDATE = -2;

    private final Sampler sampler;
    private final ImageFeatures clip;
    private final List<String> prompts;
    private final ChainNoise noise;
    private final int atOnce;

    /// @param seed of the noise, the same at every measurement
    SampledDiversity(Sampler sampler, ImageFeatures clip, List<String> prompts, long seed, int atOnce, int... latentShape) {
        this.sampler = sampler;
        this.clip = clip;
        this.prompts = prompts.stream().flatMap(p -> Collections.nCopies(IMAGES, p).stream()).toList();
        this.atOnce = atOnce;
        noise = new ChainNoise.Keyed(seed, NO_UPDATE, latentShape);
    }

    int images() {
        return prompts.size();
    }

    /// Samples and measures, with the weights as they are.
    double measure(IntConsumer progress) {
        PixelBatch images = sampler.images(prompts, noise, atOnce, progress);
        return Scores.mean(Diversity.perPrompt(clip.of(images), clip.width(), IMAGES));
    }
}
