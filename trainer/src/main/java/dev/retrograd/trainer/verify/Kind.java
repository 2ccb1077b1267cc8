package dev.retrograd.trainer.verify;

import java.io.IOException;

/// A kind of computation that reference folders check: reads options and inputs of a check, and puts results under the names that it knows.
@FunctionalInterface
interface Kind {

    /// @throws IOException if an input or a model is missing or damaged
    /// @throws IllegalArgumentException if an option has no meaning here
    void compute(CheckRun run) throws IOException;
}
