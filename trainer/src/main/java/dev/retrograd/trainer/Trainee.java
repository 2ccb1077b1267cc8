package dev.retrograd.trainer;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.trainer.method.KlGuard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;

/// The weights that a run trains, on the model until they are closed. As {@link KlGuard.Base} it runs code without them.
sealed interface Trainee extends KlGuard.Base, AutoCloseable permits LoraTrainee, UNetTrainee {

    /// Put onto the task's model.
    ///
    /// @throws SettingException if the settings do not fit the model
    /// @throws IllegalArgumentException if the weights to start from do not
    static Trainee of(TrainLoop.Task task, TrainConfig config) {
        return switch (config.trainable()) {
            case LORA -> new LoraTrainee(task, config);
            case FULL -> new UNetTrainee(task);
        };
    }

    /// What the optimiser updates, always in this order.
    List<Parameter> parameters();

    /// Runs code with the weights that training started from.
    <T> T atStart(Supplier<T> code);

    /// Writes what a checkpoint holds of them for its readers, beside the state.
    void writeInto(Path checkpoint) throws IOException;

    /// Writes the result of a run.
    ///
    /// @return file or folder
    Path write(RunDirectory run) throws IOException;

    /// What is trained, in a few words.
    String describe();

    /// Takes them off the model and frees them.
    @Override void close();
}
