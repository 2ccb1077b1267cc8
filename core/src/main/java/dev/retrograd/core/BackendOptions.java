package dev.retrograd.core;

import java.util.Optional;
import java.util.function.Consumer;

/// How a device is to compute, as far as one can choose. What a device knows nothing of, it does not look at.
///
/// @param precision one of the device's; empty for the first of them
/// @param graphs whether launches of kernels that come again are submitted many at a time, as CUDA graphs; results are the same
/// @param notices is told, in a sentence each, what a user should know while it computes
public record BackendOptions(Optional<Precision> precision, boolean graphs, Consumer<String> notices) {

    /// What suits the device best.
    public static BackendOptions of(Consumer<String> notices) {
        return new BackendOptions(Optional.empty(), true, notices);
    }

    public BackendOptions with(Optional<Precision> other) {
        return new BackendOptions(other, graphs, notices);
    }

    public BackendOptions withGraphs(boolean wanted) {
        return new BackendOptions(precision, wanted, notices);
    }
}
