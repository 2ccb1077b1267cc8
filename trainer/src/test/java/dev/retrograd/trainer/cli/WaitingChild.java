package dev.retrograd.trainer.cli;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/// Main class for tests: announces its process id, waits to be interrupted and takes a moment to save. With the argument `full-disk`
/// it fails to.
public final class WaitingChild {

    private static final long SAVING_MILLIS = 300;

    private WaitingChild() {}

    public static void main(String[] args) throws InterruptedException {
        ParentDeath.follow();
        CompletableFuture<Integer> exitCode = new CompletableFuture<>();
        int code;
        try (Interrupt interrupt = Interrupt.open(exitCode)) {
            System.out.println(ProcessHandle.current().pid());
            while (!interrupt.requested()) {
                Thread.sleep(20);
            }
            save(args.length > 0 && args[0].equals("full-disk"));
            code = ExitCode.INTERRUPTED;
        } catch (IOException e) {
            System.err.println(Errors.describe(e));
            code = ExitCode.FAILED;
        }
        exitCode.complete(code);
        System.exit(code);
    }

    private static void save(boolean fullDisk) throws IOException, InterruptedException {
        System.err.println("saving");
        Thread.sleep(SAVING_MILLIS);
        if (fullDisk) {
            throw new IOException("disk is full");
        }
        System.err.println("saved");
    }
}
