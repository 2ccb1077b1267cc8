package dev.retrograd.rewards;

/// A score of images, to be raised by training.
///
/// Whether it has a gradient is part of its type, so that reward backpropagation cannot be handed one without.
public sealed interface Reward extends AutoCloseable permits DifferentiableReward, BlackBoxReward {

    /// What `--reward` and metrics call it: `compressibility`, `aesthetic`.
    String name();

    /// Frees what it holds in a backend's memory, if anything.
    @Override default void close() {
    }
}
