package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.core.Backend;
import dev.retrograd.unet.UNetWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// All weights of the UNet.
final class UNetTrainee implements Trainee {
    private final Backend backend;
    private final TrainConfig config;
    private final UNetWeights weights;
    private final ModelWriter writer;

    /// @throws SettingException if the task has a LoRA to start from
    UNetTrainee(TrainLoop.Task task, TrainConfig config) {
        this.config = config;
        backend = task.model().backend();
        SettingException.require(task.start().isEmpty(), "--lora", "left out with --trainable full (merge puts it into the model first)", "one");
        weights = new UNetWeights(task.model());
        writer = task.writer();
    }

    @Override public List<Parameter> parameters() {
        return weights.parameters();
    }

    @Override public Optimizer optimizer() {
        return new AdamW(backend, parameters(), config.optimizer().adamw());
    }

    @Override public <T> T run(Supplier<T> code) {
        return weights.withOwn(code);
    }

    @Override public <T> T atStart(Supplier<T> code) {
        return weights.withOwn(code);
    }

    /// Nothing: the state has all weights.
    @Override public void writeInto(Path checkpoint) {
    }

    @Override public Result write(RunDirectory run) throws IOException {
        Path folder = run.replaceModel(fresh -> writer.write(fresh, weights.file(run.folder().toString())));
        return new Result("model", folder, Optional.of(folder));
    }

    @Override public String describe() {
        return "full fine-tuning of the UNet: " + weights.elements() + " trainable values";
    }

    @Override public void close() {
        weights.close();
    }
}
