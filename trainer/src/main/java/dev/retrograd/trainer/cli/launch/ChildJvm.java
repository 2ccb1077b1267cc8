package dev.retrograd.trainer.cli.launch;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.lang.reflect.InvocationTargetException;
import java.util.List;

/**
 * A JVM that stands in for this one: same terminal, same streams, same exit code, and it gets the signals that this one gets.
 *
 * <p>The other direction, that it dies with this one, is up to the child (nothing can be done after a SIGKILL).
 */
final class ChildJvm {

    /** How long a process that the child left behind may keep its error stream open. */
    private static final long DRAIN_MILLIS = 2000;

    private final Process process;
    private final Thread stderr;

    private ChildJvm(Process process) {
        this.process = process;
        this.stderr = new Thread(this::copyStderr, "stderr");
        stderr.setDaemon(true);
    }

    /**
     * Runs a command and returns its exit code, 128 + n when signal n ended it.
     *
     * <p>Must be called by a thread that lives as long as this process: Linux sends the "parent died" signal when the thread that
     * started the child ends.
     */
    static int run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectInput(Redirect.INHERIT)
                .redirectOutput(Redirect.INHERIT)
                .start();
        ChildJvm child = new ChildJvm(process);
        Runtime.getRuntime().addShutdownHook(new Thread(child::shutDown, "forward-signal"));
        child.stderr.start();
        return child.waitFor();
    }

    private int waitFor() throws InterruptedException {
        int code = process.waitFor();
        stderr.join(DRAIN_MILLIS);
        return code;
    }

    /**
     * Asks the child to stop, waits until it has saved and ends with its exit code. After Ctrl-C the terminal has told it already;
     * for a JVM that is shutting down a second signal changes nothing.
     */
    private void shutDown() {
        try {
            if (process.isAlive()) {
                terminate();
            }
            Runtime.getRuntime().halt(waitFor());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** SIGTERM. {@code Process.destroy} would close our end of the child's error stream too, and lose its last words. */
    private void terminate() {
        try {
            Object handle = Process.class.getMethod("toHandle").invoke(process);
            Class.forName("java.lang.ProcessHandle").getMethod("destroy").invoke(handle);
        } catch (ClassNotFoundException | NoSuchMethodException | IllegalAccessException | InvocationTargetException beforeJava9) {
            process.destroy();
        }
    }

    private void copyStderr() {
        try (OutputStream out = new FileOutputStream(FileDescriptor.err)) {
            new StderrFilter().copy(process.getErrorStream(), out);
        } catch (IOException closed) {
            // nobody reads our error stream any more, so there is nobody to tell
        }
    }
}
