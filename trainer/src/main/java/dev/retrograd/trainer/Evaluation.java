package dev.retrograd.trainer;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The same prompts and the same noise, sampled at several times of a run: what its pictures and its before-and-after figures come from.
final class Evaluation {
    private static final int IMAGES_OF_A_KIND = 4;
    /// Keys the noise apart from that of every update.
    private static final int NO_UPDATE = -1;
    private static final int PAIRS_IN_A_ROW = 2;

    private final Sampler sampler;
    private final DifferentiableReward reward;
    private final TrainConfig config;
    private final Backend backend;
    private final ChainNoise noise;
    private final List<String> prompts = new ArrayList<>();
    private final int trainingPrompts;

    /// @param pixels of all images, those of training prompts first
    /// @param rewards one for each
    record Grid(PixelBatch pixels, float[] rewards) {
    }

    /// Hears of progress: what is done, how much of it, out of how much.
    @FunctionalInterface
    interface Progress {
        void report(String what, long done, long total);
    }

    Evaluation(Sampler sampler, TrainLoop.Task task, TrainConfig config, Backend backend, int... latentShape) {
        this.sampler = sampler;
        reward = task.reward();
        this.config = config;
        this.backend = backend;
        noise = new ChainNoise.Keyed(config.seed(), NO_UPDATE, latentShape);
        prompts.addAll(someOf(task.prompts().prompts()));
        trainingPrompts = prompts.size();
        prompts.addAll(someOf(task.heldOut()));
    }

    /// A few prompts, spread over the list.
    private static List<String> someOf(List<String> list) {
        List<String> some = new ArrayList<>();
        int count = Math.min(IMAGES_OF_A_KIND, list.size());
        for (int i = 0; i < count; i++) {
            some.add(list.get((int) ((long) i * list.size() / count)));
        }
        return some;
    }

    Grid grid(Progress progress) {
        long total = (long) prompts.size() * config.sampler().steps();
        progress.report("samples", 0, total);
        PixelBatch pixels = sampler.images(prompts, noise, config.microBatchSize(), done -> progress.report("samples", done, total));
        return new Grid(pixels, rewards(pixels));
    }

    private float[] rewards(PixelBatch images) {
        reward.prepare(prompts);
        float[] all = new float[images.batch()];
        int values = images.height() * images.width() * 3;
        for (int first = 0; first < all.length; first += config.microBatchSize()) {
            int count = Math.min(config.microBatchSize(), all.length - first);
            float[] part = Arrays.copyOfRange(images.pixels(), first * values, (first + count) * values);
            List<String> text = prompts.subList(first, first + count);
            try (Scope _ = backend.memory().open("rewards"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
                float[] scores = tape.unrecorded(() -> backend.toFloats(
                        reward.score(tape.constant(backend.floats("pixels", Shape.of(count, images.height(), images.width(), 3), part)), text).value()));
                System.arraycopy(scores, 0, all, first, count);
            }
        }
        return all;
    }

    void write(Path file, Grid grid) throws IOException {
        PngFile.write(file, ImageGrid.of(prompts.size(), grid.pixels().width()).compose(RgbImage.of(grid.pixels())), Map.of());
    }

    /// One picture: each image before training with the one after it at its right.
    void compare(Path file, Grid before, Grid after) throws IOException {
        ImageGrid square = ImageGrid.of(prompts.size(), before.pixels().width());
        ImageGrid pairs = new ImageGrid(PAIRS_IN_A_ROW * 2, square.gap(), square.enlargement());
        PngFile.write(file, pairs.composePairs(RgbImage.of(before.pixels()), RgbImage.of(after.pixels())), Map.of());
    }

    /// What the run did to the reward, in one sentence.
    String summary(Grid before, Grid after) {
        String training = change(before, after, 0, trainingPrompts);
        String heldOut = trainingPrompts == prompts.size() ? "" : "; on " + (prompts.size() - trainingPrompts) + " of prompts never trained on: " + change(before, after, trainingPrompts, prompts.size());
        return "reward " + reward.name() + " on " + trainingPrompts + " images of training prompts: " + training + heldOut;
    }

    private static String change(Grid before, Grid after, int from, int to) {
        return String.format(Locale.ROOT, "%.4f before, %.4f after", Scores.mean(Arrays.copyOfRange(before.rewards(), from, to)), Scores.mean(Arrays.copyOfRange(after.rewards(), from, to)));
    }
}
