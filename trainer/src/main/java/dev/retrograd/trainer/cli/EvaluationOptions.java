package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Evaluator;
import dev.retrograd.trainer.evaluate.PromptSet;
import dev.retrograd.trainer.evaluate.Scored;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// What models are measured by, and on how many images.
final class EvaluationOptions {
    @Mixin
    private PromptOptions prompts;

    @Option(names = "--eval-prompts", paramLabel = "LIST", description = "Prompts that were never trained on, as --prompts; default: the unseen ones of a built-in list.")
    private String evalPrompts;

    @Option(names = "--max-prompts", paramLabel = "N", description = "At most so many prompts of each list, spread over it; default: all.")
    private Integer maxPrompts;

    @Mixin
    private RewardOptions rewards;

    @Option(names = "--clip", paramLabel = "DIR", description = "CLIP as a transformers folder, for the diversity of images of one prompt (mean of 1 - cosine over all pairs); default: the one inside the jar with its model, none with --model.")
    private Path clip;

    @Mixin
    private SamplerOptions sampler;

    @Option(names = "--images-per-prompt", paramLabel = "N", defaultValue = "4", description = "Images of each prompt, the same noise for every model; default: ${DEFAULT-VALUE}.")
    private int imagesPerPrompt;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of the noise; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--micro-batch-size", paramLabel = "N", defaultValue = "4", description = "Images that go through the chain together; default: ${DEFAULT-VALUE}.")
    private int atOnce;

    /// What was asked for, found possible before a model is loaded.
    ///
    /// @param sets prompts that may have been trained on, then those that were not
    /// @param measures the reward, then what is tracked, by name
    record Request(List<PromptSet> sets, SequencedMap<String, RewardOptions.Loader<Reward>> measures, Evaluator.Settings settings) {

        /// The same, where every image is kept.
        Request keepingAll() {
            return new Request(sets, measures, new Evaluator.Settings(settings.imagesPerPrompt(), settings.seed(), settings.atOnce(), Evaluator.Shown.ALL));
        }
    }

    /// Makes what is measured of the loaded model, such as puts LoRAs onto it.
    @FunctionalInterface interface Dressing {
        Worn put(StableDiffusion model) throws IOException;
    }

    /// @param embedded whether the images are those of the miniature model inside the jar
    /// @throws SettingException if a setting cannot be
    /// @throws IOException if a list of prompts cannot be read or a plugin does not load
    Request request(boolean embedded) throws IOException {
        SettingException.require(maxPrompts == null || maxPrompts >= 1, "--max-prompts", "1 or more", maxPrompts);
        rewards.requireNoTarget();
        List<PromptSet> sets = new ArrayList<>();
        sets.add(new PromptSet("train", prompts.source().prompts()));
        List<String> unseen = prompts.heldOut(evalPrompts);
        if (!unseen.isEmpty()) {
            sets.add(new PromptSet("unseen", unseen));
        }
        SequencedMap<String, RewardOptions.Loader<Reward>> measures = new LinkedHashMap<>();
        measures.put(rewards.label(), rewards.chooseAny(embedded));
        rewards.track(embedded).forEach(measures::putIfAbsent);
        Evaluator.Settings settings = new Evaluator.Settings(imagesPerPrompt, seed, atOnce);
        return new Request(maxPrompts == null ? sets : sets.stream().map(s -> s.atMost(maxPrompts)).toList(), measures, settings);
    }

    /// Measures a model in several dresses.
    ///
    /// @param dresses by the names that results call them; the first is what the others are compared with
    /// @throws IOException if a model or LoRA is missing, damaged or not supported
    /// @throws StopRequested if the user stopped it
    Comparison measure(PrintWriter out, Interrupt interrupt, ModelOptions model, Request request, SequencedMap<String, Dressing> dresses) throws IOException {
        try (Backend backend = model.backend(out); StableDiffusion loaded = model.load(backend, out)) {
            // Each is tried on first, so that one that does not fit is found before hours of sampling.
            for (Dressing dress : dresses.values()) {
                dress.put(loaded).close();
            }
            try (Tracked measures = RewardOptions.load(request.measures(), backend, atOnce)) {
                Optional<ImageFeatures> features = features(backend, model.embedded());
                try (RunProgress progress = new RunProgress(out)) {
                    return measure(loaded, new Evaluator(sampler.settings(loaded), request.settings(), measures, features), request, dresses, progress, interrupt);
                } finally {
                    features.ifPresent(ImageFeatures::close);
                }
            }
        }
    }

    private static Comparison measure(StableDiffusion model, Evaluator evaluator, Request request, SequencedMap<String, Dressing> dresses, RunProgress progress, Interrupt interrupt) throws IOException {
        List<Scored> all = new ArrayList<>();
        for (Map.Entry<String, Dressing> dress : dresses.entrySet()) {
            progress.began(dress.getKey(), evaluator.work(request.sets()));
            try (Worn worn = dress.getValue().put(model)) {
                all.addAll(evaluator.measure(dress.getKey(), worn.subject(), request.sets(), done -> {
                    if (interrupt.requested()) {
                        throw new StopRequested();
                    }
                    progress.progressed(done);
                }));
            }
        }
        return new Comparison(all);
    }

    private Optional<ImageFeatures> features(Backend backend, boolean embedded) throws IOException {
        if (clip != null) {
            return Optional.of(ImageFeatures.load(backend, clip));
        }
        if (!embedded) {
            return Optional.empty();
        }
        try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
            return Optional.of(ImageFeatures.load(backend, miniature.files().clip()));
        }
    }

    /// What a reader of the results must know.
    List<String> about(ModelOptions model, Request request) {
        List<String> about = new ArrayList<>();
        about.add("Model " + model.name() + ", " + request.sets().stream().map(s -> s.prompts().size() + " prompts of " + s.name()).collect(Collectors.joining(", ")) + ", " + imagesPerPrompt
                + " images of each from seed " + seed + ", the same noise for every model; mean ± standard error over the images.");
        if (request.measures().containsKey("hps")) {
            about.add("hps is the cosine; papers print ten times this.");
        }
        if (imagesPerPrompt > 1 && (clip != null || model.embedded())) {
            about.add("diversity is the mean of 1 - cosine of CLIP features over all pairs of images of a prompt, ± standard error over the prompts.");
        } else {
            about.add("diversity is not measured: it takes --images-per-prompt of 2 or more, and --clip for a model of your own.");
        }
        return about;
    }
}
