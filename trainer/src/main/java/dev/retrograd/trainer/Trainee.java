package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.trainer.method.KlGuard;
import dev.retrograd.trainer.method.TrainedNoise;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// What a run trains: weights, on the model until they are closed, or noise. As {@link KlGuard.Base} it runs code with the base model.
sealed interface Trainee extends KlGuard.Base, AutoCloseable permits LoraTrainee, UNetTrainee, NoiseTrainee {

    /// The result of a run.
    ///
    /// @param what it is, in a word
    /// @param path file or folder
    /// @param card folder of the card that describes it, where there is to be one
    record Result(String what, Path path, Optional<Path> card) {
    }

    /// Put onto the task's model.
    ///
    /// @throws SettingException if the settings do not fit the model
    /// @throws IllegalArgumentException if the weights to start from do not
    static Trainee of(TrainLoop.Task task, TrainConfig config) {
        if (!config.method().trainsWeights()) {
            return new NoiseTrainee(task, config);
        }
        return switch (config.trainable()) {
            case LORA -> new LoraTrainee(task, config);
            case FULL -> new UNetTrainee(task, config);
        };
    }

    /// What the optimiser updates, always in this order.
    List<Parameter> parameters();

    /// A fresh optimiser of them; closed by the caller.
    Optimizer optimizer();

    /// The noise that is trained instead of weights.
    default Optional<TrainedNoise> noise() {
        return Optional.empty();
    }

    /// The images of every update and sample grid, where they are always the same.
    default Optional<FixedImages> images() {
        return Optional.empty();
    }

    /// Runs code with what training started from.
    <T> T atStart(Supplier<T> code);

    /// Writes what a checkpoint holds for other readers, beside the state.
    void writeInto(Path checkpoint) throws IOException;

    /// Writes the result of a run.
    Result write(RunDirectory run) throws IOException;

    /// What is trained, in a few words.
    String describe();

    /// Takes weights off the model and frees everything.
    @Override void close();
}
