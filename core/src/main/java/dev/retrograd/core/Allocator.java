package dev.retrograd.core;

/// Gives kernels' convenience forms a place for their results; {@link Backend} is the one that there is.
interface Allocator {
    /// A tensor in the innermost open scope; contents undefined.
    Tensor empty(String name, Spec spec);
}
