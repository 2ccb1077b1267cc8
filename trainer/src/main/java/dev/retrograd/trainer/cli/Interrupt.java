package dev.retrograd.trainer.cli;

import java.util.concurrent.CountDownLatch;

/// Turns Ctrl-C and SIGTERM into a request that a command answers when it has saved.
///
/// While one is open, the process does not end on such a signal before [#close]; then it exits with 130.
/// ```java
/// try (Interrupt interrupt = Interrupt.open()) {
///     while (updates.hasNext() && !interrupt.requested()) { … }
///     save();
/// }
/// ```
/// A second signal changes nothing; a run that is killed instead can still be resumed from its last checkpoint.
public final class Interrupt implements AutoCloseable {

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook = new Thread(this::onShutdown, "interrupt");
    private volatile boolean requested;

    private Interrupt() {}

    /// Starts to hold signals back.
    ///
    /// @throws IllegalStateException if the process is ending already
    public static Interrupt open() {
        Interrupt interrupt = new Interrupt();
        Runtime.getRuntime().addShutdownHook(interrupt.hook);
        return interrupt;
    }

    /// Whether the user asked to stop.
    public boolean requested() {
        return requested;
    }

    /// Says that all is saved: a process that was asked to stop ends now, another goes on.
    @Override
    public void close() {
        finished.countDown();
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException endingAlready) {
                // the signal came just now, after the work was done: the hook ends the process
            }
        }
    }

    private void onShutdown() {
        requested = true;
        try {
            finished.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        System.out.flush();
        System.err.flush();
        Runtime.getRuntime().halt(ExitCode.INTERRUPTED);
    }
}
