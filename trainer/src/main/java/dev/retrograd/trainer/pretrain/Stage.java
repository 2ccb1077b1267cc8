package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// One model that pretraining fits: what it minimises, what shows how far it is, and what it leaves behind.
interface Stage extends AutoCloseable {

    /// What files and progress lines call it.
    String name();

    FitSettings settings();

    /// Every weight that is fitted.
    List<Parameter> parameters();

    /// The loss of one update: a pure function of the weights, the recipe's seed and the step.
    Fit.Loss loss(Tape t, int step);

    /// Shows where it stands, with the averaged weights in place.
    ///
    /// @param file a PNG file to be written
    /// @return figures for the log; may be empty
    String sample(Path file) throws IOException;

    /// Writes the model's files, with the averaged weights in place.
    void finish() throws IOException;

    /// Frees the weights.
    @Override void close();
}
