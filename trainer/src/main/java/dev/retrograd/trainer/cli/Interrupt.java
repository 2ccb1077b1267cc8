package dev.retrograd.trainer.cli;

import java.util.concurrent.CompletableFuture;

/// Turns Ctrl-C and SIGTERM into a request that a command answers when it has saved.
///
/// While one is open, such a signal does not end the process: the command notices it, saves and returns [ExitCode#INTERRUPTED].
/// ```java
/// try (Interrupt interrupt = main.interruptible()) {
///     while (updates.hasNext() && !interrupt.requested()) { … }
///     save();
///     return interrupt.requested() ? ExitCode.INTERRUPTED : ExitCode.DONE;
/// }
/// ```
/// The process then ends with what the command returned, or with 1 and its error if it could not save. A second signal changes
/// nothing; a run that is killed instead can still be resumed from its last checkpoint.
final class Interrupt implements AutoCloseable {

    private final CompletableFuture<Integer> exitCode;
    private final Thread hook = new Thread(this::onShutdown, "interrupt");
    private volatile boolean requested;

    private Interrupt(CompletableFuture<Integer> exitCode) {
        this.exitCode = exitCode;
    }

    /// Starts to hold signals back.
    ///
    /// @param exitCode completed by [Main] when the command has ended and its error, if any, is printed
    /// @throws IllegalStateException if the process is ending already
    static Interrupt open(CompletableFuture<Integer> exitCode) {
        Interrupt interrupt = new Interrupt(exitCode);
        Runtime.getRuntime().addShutdownHook(interrupt.hook);
        return interrupt;
    }

    /// Whether the user asked to stop.
    boolean requested() {
        return requested;
    }

    /// From now on a signal ends the process; one that came before has waited for the command to end.
    @Override
    public void close() {
        if (requested) {
            return;
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException endingAlready) {
            // the signal came just now, after the work was done: the hook waits for the command to return
        }
    }

    private void onShutdown() {
        requested = true;
        Runtime.getRuntime().halt(exitCode.join());
    }
}
