package dev.retrograd.trainer.cli;

/// Gives the process its own error stream back.
///
/// The JVM announces the Vector API on its error stream before `main`, and no flag silences it. So the script starts it with file
/// descriptor 2 leading to a filter and the user's error stream on another descriptor, which is moved to its place here.
final class StandardError {

    /// Set by the script to the descriptor that holds the user's error stream.
    static final String DESCRIPTOR_PROPERTY = "retrograd.stderr";

    private static final int STDERR = 2;

    private StandardError() {}

    /// Moves the descriptor named by [#DESCRIPTOR_PROPERTY] to 2; does nothing where there is none.
    ///
    /// @throws IllegalStateException if it is not open
    static void restore() {
        Integer descriptor = Integer.getInteger(DESCRIPTOR_PROPERTY);
        if (descriptor == null) {
            return;
        }
        if (Libc.duplicate(descriptor, STDERR) != STDERR || Libc.close(descriptor) != 0) {
            throw new IllegalStateException(
                    "start: -D" + DESCRIPTOR_PROPERTY + " must name an open file descriptor, got " + descriptor);
        }
    }
}
