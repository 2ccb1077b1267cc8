package dev.retrograd.trainer;

import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.method.Batch;
import dev.retrograd.trainer.method.Update;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/// One update's prompts, noise and random streams, keyed by (seed, update, image).
class UpdateDraws implements Update {
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Sampler sampler;
    private final Optional<FixedImages> fixed;
    private final int number;
    private final int images;
    private final Tracked.Collected measured;

    /// @param fixed images of every update; empty where each draws its own
    UpdateDraws(TrainLoop.Task task, TrainConfig config, Sampler sampler, Optional<FixedImages> fixed, int number) {
        this(task, config, sampler, fixed, number, fixed.map(f -> f.prompts().size()).orElseGet(config::batchSize));
    }

    /// @param images fewer than an update's, to plan it
    UpdateDraws(TrainLoop.Task task, TrainConfig config, Sampler sampler, Optional<FixedImages> fixed, int number, int images) {
        this.fixed = fixed;
        this.task = task;
        this.config = config;
        this.sampler = sampler;
        this.number = number;
        this.images = images;
        measured = task.tracked().collect();
    }

    @Override public int number() {
        return number;
    }

    @Override public int images() {
        return images;
    }

    @Override public int microBatch() {
        return config.microBatchSize();
    }

    @Override public Batch batch(int draw, int first, int count) {
        ChainNoise noise = fixed.map(FixedImages::noise).orElseGet(() -> new ChainNoise.Keyed(config.seed(), draw, config.sampler().latentShape(task.model())));
        return sampler.batch(prompts(draw, first, count), noise, first);
    }

    @Override public List<String> prompts(int draw, int first, int count) {
        return fixed.map(f -> f.prompts().subList(first, first + count)).orElseGet(() -> task.prompts().draw(config.seed(), draw, first, count));
    }

    @Override public Tensor context(List<String> prompts) {
        return sampler.context(prompts);
    }

    @Override public Shape latents(int count) {
        int[] chw = config.sampler().latentShape(task.model());
        return Shape.of(count, chw[1], chw[2], chw[0]);
    }

    @Override public RandomStream stream(int draw, long... key) {
        long[] all = new long[key.length + 2];
        all[0] = StreamKey.METHOD.code();
        all[1] = draw;
        System.arraycopy(key, 0, all, 2, key.length);
        return RandomStream.keyed(config.seed(), all);
    }

    @Override public boolean measures() {
        return !task.tracked().isEmpty();
    }

    @Override public void measure(PixelBatch images, List<String> prompts) {
        measured.add(images, prompts);
    }

    @Override public void progress(String what, long done, long total) {
    }

    /// The same draws, with nothing measured.
    UpdateDraws again() {
        return new UpdateDraws(task, config, sampler, fixed, number, images);
    }

    /// All scores so far, by the name of what was measured.
    SequencedMap<String, float[]> measured() {
        return measured.all();
    }

    /// Takes over scores that were measured elsewhere.
    void measured(SequencedMap<String, float[]> scores) {
        measured.add(scores);
    }

    /// Means of what was measured.
    SequencedMap<String, Double> means() {
        return measured.means();
    }
}
