package dev.retrograd.core.contract;

/// What a family's part of the contract stands on.
public interface Contract {
    /// The backends of the test that runs.
    Twins twins();
}
