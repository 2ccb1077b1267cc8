package dev.retrograd.core;

import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/// How a device is to compute, as far as one can choose. What a device knows nothing of, it does not look at.
///
/// @param precision one of the device's; empty for the first of them
/// @param graphs whether launches of kernels that come again are submitted many at a time, as CUDA graphs; results are the same
/// @param products what multiplies matrices on a GPU
/// @param convolutions what convolves there
/// @param attention what does attention there
/// @param tiles where the speeds come from by which a GPU's kernels choose the shape of what a block computes
/// @param choices file that keeps what was chosen by timing; a run that goes on with the same file computes the same bits
/// @param cache folder for what was measured, for other runs; empty for none
/// @param notices is told, in a sentence each, what a user should know while it computes
public record BackendOptions(Optional<Precision> precision, boolean graphs, Products products, Convolutions convolutions, Attention attention, Tiles tiles, Optional<Path> choices, Optional<Path> cache, Consumer<String> notices) {

    /// The program's own kernels, among them those for compute capability 9.0 where they can be used, cuBLAS for whatever it can do, or the fastest of these
    /// at each shape, measured when it comes for the first time.
    public enum Products { AUTO, PTX, HOPPER, CUBLAS }

    /// The program's own kernels, among them those for compute capability 9.0 where they can be used, cuDNN for whatever it can do, or the fastest of these
    /// at each shape, measured when it comes for the first time.
    public enum Convolutions { AUTO, PTX, HOPPER, CUDNN }

    /// The program's own kernels, among them those for compute capability 9.0 where they can be used, or the faster of these at each shape, measured when it comes
    /// for the first time.
    public enum Attention { AUTO, PTX, HOPPER }

    /// The table of known architectures, a measurement, or that for architectures that the table does not have.
    public enum Tiles { AUTO, TABLE, MEASURED }

    /// What suits the device best, without files.
    public static BackendOptions of(Consumer<String> notices) {
        return new BackendOptions(Optional.empty(), true, Products.PTX, Convolutions.PTX, Attention.PTX, Tiles.AUTO, Optional.empty(), Optional.empty(), notices);
    }

    public BackendOptions with(Optional<Precision> other) {
        return new BackendOptions(other, graphs, products, convolutions, attention, tiles, choices, cache, notices);
    }

    public BackendOptions with(Products other) {
        return new BackendOptions(precision, graphs, other, convolutions, attention, tiles, choices, cache, notices);
    }

    public BackendOptions with(Convolutions other) {
        return new BackendOptions(precision, graphs, products, other, attention, tiles, choices, cache, notices);
    }

    public BackendOptions with(Attention other) {
        return new BackendOptions(precision, graphs, products, convolutions, other, tiles, choices, cache, notices);
    }

    public BackendOptions with(Tiles other) {
        return new BackendOptions(precision, graphs, products, convolutions, attention, other, choices, cache, notices);
    }

    public BackendOptions withGraphs(boolean wanted) {
        return new BackendOptions(precision, wanted, products, convolutions, attention, tiles, choices, cache, notices);
    }

    /// With files for what is measured, as {@link #choices} and {@link #cache}.
    public BackendOptions keeping(Optional<Path> file, Optional<Path> folder) {
        return new BackendOptions(precision, graphs, products, convolutions, attention, tiles, file, folder, notices);
    }
}
