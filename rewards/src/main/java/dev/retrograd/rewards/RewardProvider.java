package dev.retrograd.rewards;

import dev.retrograd.core.Backend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// Adds a reward to the program: the one class that a reward of a user's own needs.
///
/// Found by `ServiceLoader`: a jar or folder of classes names it in `META-INF/services/dev.retrograd.rewards.RewardProvider`. Public, with a public
/// constructor without parameters.
public interface RewardProvider {

    /// What `--reward` calls it: lower-case letters, digits and hyphens, beginning with a letter; none of the program's own names.
    String name();

    /// Makes the reward on a backend; whoever asks closes it.
    ///
    /// @param model the file or folder of `--reward-model`; empty where none is given
    /// @throws IOException if the model is missing, damaged or not supported, in one sentence that names it
    /// @throws IllegalArgumentException if the reward needs a model and got none
    Reward create(Backend backend, Optional<Path> model) throws IOException;
}
