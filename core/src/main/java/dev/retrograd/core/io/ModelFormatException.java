package dev.retrograd.core.io;

import java.io.IOException;

/// A model file is missing, damaged, or not of a kind this program reads.
///
/// The message names the file, what is required of it and what was found.
public final class ModelFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    /// @param message `<file>: <what is required>, got <what came>`
    public ModelFormatException(String message) {
        super(message);
    }
}
