package dev.retrograd.trainer;

import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.Scoring;
import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/// The same prompts and the same noise, sampled at several times of a run: what its pictures and its before-and-after figures come from.
final class Evaluation {
    /// Keys the noise apart from that of every update.
    static final int NO_UPDATE = -1;
    private static final int LEAST_PAIRS_IN_A_ROW = 2;

    private final Sampler sampler;
    private final Reward reward;
    private final TrainConfig config;
    private final Scoring scoring;
    private final Tracked tracked;
    private final Optional<SampledDiversity> diversity;
    private final ChainNoise noise;
    private final List<String> prompts = new ArrayList<>();
    private final int trainingPrompts;

    /// @param pixels of all images, those of training prompts first
    /// @param rewards one for each
    /// @param tracked likewise of what is measured beside the reward
    /// @param diversity within a prompt, of further images; empty where it is not measured
    record Grid(PixelBatch pixels, float[] rewards, SequencedMap<String, float[]> tracked, OptionalDouble diversity) {
    }

    /// Hears of progress: what is done, how much of it, out of how much.
    @FunctionalInterface
    interface Progress {
        void report(String what, long done, long total);
    }

    Evaluation(Sampler sampler, TrainLoop.Task task, TrainConfig config, Optional<SampledDiversity> diversity, ChainNoise noise) {
        this.diversity = diversity;
        this.sampler = sampler;
        reward = task.reward();
        this.config = config;
        scoring = new Scoring(task.model().backend(), config.microBatchSize());
        tracked = task.tracked();
        this.noise = noise;
        prompts.addAll(promptsOf(task, config));
        trainingPrompts = Math.min(config.sampleImages(), task.prompts().size());
    }

    /// What is sampled each time: prompts of training, then others.
    static List<String> promptsOf(TrainLoop.Task task, TrainConfig config) {
        List<String> all = new ArrayList<>(someOf(task.prompts().prompts(), config.sampleImages()));
        all.addAll(someOf(task.heldOut(), config.sampleImages()));
        return all;
    }

    /// A few prompts, spread over the list.
    private static List<String> someOf(List<String> list, int most) {
        List<String> some = new ArrayList<>();
        int count = Math.min(most, list.size());
        for (int i = 0; i < count; i++) {
            some.add(list.get((int) ((long) i * list.size() / count)));
        }
        return some;
    }

    /// What is sampled each time.
    List<String> prompts() {
        return Collections.unmodifiableList(prompts);
    }

    Grid grid(Progress progress) {
        int steps = config.sampler().steps();
        long mine = (long) prompts.size() * steps;
        long total = mine + (long) diversity.map(SampledDiversity::images).orElse(0) * steps;
        progress.report("samples", 0, total);
        PixelBatch pixels = sampler.images(prompts, noise, config.microBatchSize(), done -> progress.report("samples", done, total));
        OptionalDouble diverse = diversity.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(diversity.get().measure(done -> progress.report("samples", mine + done, total)));
        return new Grid(pixels, scoring.of(reward, pixels, prompts), tracked.scores(pixels, prompts), diverse);
    }

    void write(Path file, Grid grid) throws IOException {
        PngFile.write(file, ImageGrid.of(prompts.size(), grid.pixels().width()).compose(RgbImage.of(grid.pixels())), Map.of());
    }

    /// One picture: each image before training with the one after it at its right.
    void compare(Path file, Grid before, Grid after) throws IOException {
        ImageGrid square = ImageGrid.of(prompts.size(), before.pixels().width());
        ImageGrid pairs = new ImageGrid(2 * Math.max(LEAST_PAIRS_IN_A_ROW, (int) Math.sqrt(prompts.size())), square.gap(), square.enlargement());
        PngFile.write(file, pairs.composePairs(RgbImage.of(before.pixels()), RgbImage.of(after.pixels())), Map.of());
    }

    /// The mean rewards of each kind of prompts that there is.
    ///
    /// @param updates made before these images
    List<RunDirectory.Evaluated> means(int updates, Grid grid) {
        List<RunDirectory.Evaluated> means = new ArrayList<>();
        means.add(mean(updates, RunDirectory.PromptKind.TRAINING, grid, 0, trainingPrompts));
        if (trainingPrompts < prompts.size()) {
            means.add(mean(updates, RunDirectory.PromptKind.HELD_OUT, grid, trainingPrompts, prompts.size()));
        }
        return means;
    }

    private static RunDirectory.Evaluated mean(int updates, RunDirectory.PromptKind kind, Grid grid, int from, int to) {
        Map<String, Double> tracked = new LinkedHashMap<>();
        grid.tracked().forEach((name, scores) -> tracked.put(Metrics.TRACK + name, mean(scores, from, to)));
        return new RunDirectory.Evaluated(updates, kind, to - from, mean(grid.rewards(), from, to), tracked);
    }

    private static double mean(float[] scores, int from, int to) {
        return Scores.mean(Arrays.copyOfRange(scores, from, to));
    }

    /// What the run did to the reward and to what is measured beside it, a sentence each.
    List<String> summary(Grid before, Grid after) {
        List<String> sentences = new ArrayList<>();
        sentences.add("reward " + reward.name() + change(before.rewards(), after.rewards()));
        before.tracked().forEach((name, scores) -> sentences.add("track " + name + change(scores, after.tracked().get(name))));
        if (before.diversity().isPresent() && after.diversity().isPresent()) {
            sentences.add(String.format(Locale.ROOT, "diversity (mean CLIP distance within a prompt): %.4f before, %.4f after", before.diversity().getAsDouble(), after.diversity().getAsDouble()));
        }
        return sentences;
    }

    private String change(float[] before, float[] after) {
        int all = prompts.size();
        String heldOut = trainingPrompts == all ? "" : "; on " + (all - trainingPrompts) + " of prompts never trained on: " + change(before, after, trainingPrompts, all);
        return " on " + trainingPrompts + " images of training prompts: " + change(before, after, 0, trainingPrompts) + heldOut;
    }

    private static String change(float[] before, float[] after, int from, int to) {
        return String.format(Locale.ROOT, "%.4f before, %.4f after", mean(before, from, to), mean(after, from, to));
    }
}
