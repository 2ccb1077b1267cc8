package dev.retrograd.trainer;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.method.Batch;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.DdimChain;
import dev.retrograd.unet.vae.Pixels;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.function.IntConsumer;

/// Makes images with a model and whatever LoRA is attached to it; nothing is recorded.
public final class Sampler {
    private final StableDiffusion model;
    private final SamplerSettings settings;
    private final IntConsumer beforeStep;

    /// @throws IllegalArgumentException if the settings do not fit the model
    public Sampler(StableDiffusion model, SamplerSettings settings) {
        this(model, settings, _ -> { });
    }

    /// @param beforeStep is told each denoising step before the UNet runs
    /// @throws IllegalArgumentException if the settings do not fit the model
    public Sampler(StableDiffusion model, SamplerSettings settings, IntConsumer beforeStep) {
        settings.check(model);
        this.model = model;
        this.settings = settings;
        this.beforeStep = beforeStep;
    }

    public SamplerSettings settings() {
        return settings;
    }

    /// What a pass through the chain starts from, for the images numbered from `first` on, in the innermost open scope.
    public Batch batch(List<String> prompts, ChainNoise noise, int first) {
        return new Batch(noise.initial(model.backend(), first, prompts.size()), context(prompts), prompts, first, step -> noise.step(model.backend(), step, first, prompts.size()));
    }

    /// Text embedding of prompts in the innermost open scope: `[2B,M,D]` in the order [uncond, text] where guidance is active, else `[B,M,D]`.
    public Tensor context(List<String> prompts) {
        List<String> rows = new ArrayList<>();
        if (settings.guidance() > 1) {
            rows.addAll(Collections.nCopies(prompts.size(), settings.negativePrompt()));
        }
        rows.addAll(prompts);
        return model.encodeText(model.tokenize(rows));
    }

    /// One image per prompt.
    ///
    /// @param atOnce images that go through the chain together, which changes memory and time, not the images
    /// @param progress is told the number of images × steps done so far
    public PixelBatch images(List<String> prompts, ChainNoise noise, int atOnce, IntConsumer progress) {
        Backend b = model.backend();
        int imageValues = settings.height() * settings.width() * 3;
        float[] all = new float[Math.multiplyExact(prompts.size(), imageValues)];
        DdimChain chain = settings.chain(model).announcing(beforeStep);
        for (int first = 0; first < prompts.size(); first += atOnce) {
            List<String> part = prompts.subList(first, Math.min(prompts.size(), first + atOnce));
            int done = first * settings.steps();
            try (Scope _ = b.memory().open("sample"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                Batch batch = batch(part, noise, first);
                float[] values = tape.unrecorded(() -> {
                    Var context = tape.constant(batch.context());
                    DdimChain.Trajectory t = chain.run(tape.constant(batch.latents()), context, new BitSet(), i -> tape.constant(batch.noise().apply(i)),
                            i -> progress.accept(done + (i + 1) * part.size()));
                    return b.toFloats(Pixels.of(Pixels.image(model.vaeDecoder(), t.last())).value());
                });
                System.arraycopy(values, 0, all, first * imageValues, values.length);
            }
        }
        return new PixelBatch(all, prompts.size(), settings.height(), settings.width());
    }
}
