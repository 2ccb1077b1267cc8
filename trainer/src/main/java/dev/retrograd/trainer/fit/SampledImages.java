package dev.retrograd.trainer.fit;

import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.List;

/// Images that a model draws from prompts: prompt and noise of each are a function of the seed and its number.
///
/// @param atOnce images that go through the chain together
public record SampledImages(StableDiffusion model, SamplerSettings settings, PromptSource prompts, int size, long seed, int atOnce) implements ImageSource {

    public SampledImages {
        if (size < 1 || atOnce < 1) {
            throw new IllegalArgumentException("images: at least one must be drawn, and at once, got " + size + " and " + atOnce);
        }
    }

    @Override public void forEach(Receiver receiver) throws IOException {
        Sampler sampler = new Sampler(model, settings);
        ChainNoise.Keyed noise = new ChainNoise.Keyed(seed, 0, settings.latentShape(model));
        for (int first = 0; first < size; first += atOnce) {
            List<String> texts = prompts.draw(seed, 0, first, Math.min(atOnce, size - first));
            receiver.accept(sampler.images(texts, noise.from(first), atOnce, _ -> { }), texts);
        }
    }
}
