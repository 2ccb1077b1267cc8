package dev.retrograd.trainer.evaluate;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.unet.StableDiffusion;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.IntConsumer;

/// Measures a model, with whatever LoRA it wears: every model sees the same prompts and the same noise.
public final class Evaluator {
    /// What the diversity of images of one prompt is called among the measures.
    public static final String DIVERSITY = "diversity";
    /// Keys the noise apart from that of every update and of training's own samples.
    private static final int NO_UPDATE = -2;

    private final SamplerSettings sampler;
    private final Settings settings;
    private final Tracked measures;
    private final Optional<ImageFeatures> features;

    /// How much is measured.
    ///
    /// @param imagesPerPrompt each from a noise of its own
    /// @param seed of the noise
    /// @param atOnce images that go through the chain together; changes memory and time
    /// @param shown which images are kept
    public record Settings(int imagesPerPrompt, long seed, int atOnce, Shown shown) {
        public Settings(int imagesPerPrompt, long seed, int atOnce) {
            this(imagesPerPrompt, seed, atOnce, Shown.USUAL);
        }

        public Settings {
            SettingException.require(imagesPerPrompt >= 1, "--images-per-prompt", "1 or more", imagesPerPrompt);
            SettingException.require(atOnce >= 1, "--micro-batch-size", "1 or more", atOnce);
        }

        private boolean isShown(int image) {
            return image / imagesPerPrompt < shown.prompts() && image % imagesPerPrompt < shown.imagesOfEach();
        }
    }

    /// Which images of a set are kept to be shown: the first of each of the first prompts.
    public record Shown(int prompts, int imagesOfEach) {
        public static final Shown USUAL = new Shown(8, 1);
        /// All that there are.
        public static final Shown ALL = new Shown(Integer.MAX_VALUE, Integer.MAX_VALUE);
    }

    /// What makes the images.
    ///
    /// @param beforeStep is told each denoising step before the UNet runs
    public record Subject(StableDiffusion model, IntConsumer beforeStep) {
        public Subject(StableDiffusion model) {
            this(model, _ -> { });
        }
    }

    /// @param measures what is measured of each image; closed by the caller
    /// @param features that diversity is measured by, where it is; closed by the caller
    public Evaluator(SamplerSettings sampler, Settings settings, Tracked measures, Optional<ImageFeatures> features) {
        this.sampler = sampler;
        this.settings = settings;
        this.measures = measures;
        this.features = features;
    }

    /// Images × denoising steps of measuring one model on these prompts.
    public long work(List<PromptSet> sets) {
        return sets.stream().mapToLong(s -> (long) s.prompts().size() * settings.imagesPerPrompt() * sampler.steps()).sum();
    }

    /// Measures a model as it is now.
    ///
    /// @param name what results call it
    /// @param progress is told images × steps as they are done
    /// @throws SettingException if the sampler's settings do not fit the model
    public List<Scored> measure(String name, Subject subject, List<PromptSet> sets, IntConsumer progress) {
        List<Scored> all = new ArrayList<>();
        int first = 0;
        for (PromptSet set : sets) {
            int offset = first;
            all.add(measure(name, subject, set, first, done -> progress.accept(offset * sampler.steps() + done)));
            first += set.prompts().size() * settings.imagesPerPrompt();
        }
        return all;
    }

    /// @param offset number of the set's first image among all
    private Scored measure(String name, Subject subject, PromptSet set, int offset, IntConsumer progress) {
        Sampler images = new Sampler(subject.model(), sampler, subject.beforeStep());
        List<String> texts = set.prompts().stream().flatMap(p -> Collections.nCopies(settings.imagesPerPrompt(), p).stream()).toList();
        ChainNoise.Keyed noise = new ChainNoise.Keyed(settings.seed(), NO_UPDATE, sampler.latentShape(subject.model()));
        Tracked.Collected collected = measures.collect();
        float[] vectors = new float[features.map(f -> Math.multiplyExact(texts.size(), f.width())).orElse(0)];
        List<RgbImage> shown = new ArrayList<>();
        for (int first = 0; first < texts.size(); first += settings.atOnce()) {
            int number = first;
            List<String> part = texts.subList(first, Math.min(texts.size(), first + settings.atOnce()));
            PixelBatch pixels = images.images(part, noise.from(offset + first), settings.atOnce(), done -> progress.accept(number * sampler.steps() + done));
            collected.add(pixels, part);
            features.ifPresent(f -> {
                float[] some = f.of(pixels);
                System.arraycopy(some, 0, vectors, number * f.width(), some.length);
            });
            for (int i = 0; i < part.size(); i++) {
                if (settings.isShown(first + i)) {
                    shown.add(RgbImage.of(pixels, i));
                }
            }
        }
        SequencedMap<String, float[]> scores = new LinkedHashMap<>(collected.all());
        if (features.isPresent() && settings.imagesPerPrompt() > 1) {
            scores.put(DIVERSITY, Diversity.perPrompt(vectors, features.get().width(), settings.imagesPerPrompt()));
        }
        return new Scored(name, set.name(), scores, shown);
    }
}
