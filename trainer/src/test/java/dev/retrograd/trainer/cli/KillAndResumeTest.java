package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// A run that is killed again and again, wherever it happens to be, ends in the bytes of one that nobody disturbed.
class KillAndResumeTest {
    /// More with `-Dkills=N`.
    private static final int KILLS = Integer.getInteger("kills", 6);
    private static final long LONGEST_WAIT_MILLIS = 4000;
    private static final long PATIENCE_SECONDS = 300;
    private static final int UPDATES = 8;

    @TempDir private Path temp;

    private Process start(Path output, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(CommandLineRun.smallest("--model=" + Golden.path("ci-sd/model"), "--updates=" + UPDATES, "--seed=3", "--ema=0.9", "--sample-every=4", "--output=" + output)));
        command.addAll(List.of(more));
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(Redirect.appendTo(temp.resolve("log").toFile())).start();
    }

    private void finish(Process process) throws IOException, InterruptedException {
        assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the run must end");
        assertEquals(ExitCode.DONE, process.exitValue(), () -> log());
    }

    private String log() {
        try {
            return Files.readString(temp.resolve("log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /// Waits until a checkpoint is being written, or long enough.
    private static void untilSaving(Process process, Path run) throws IOException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LONGEST_WAIT_MILLIS);
        while (process.isAlive() && System.nanoTime() < end) {
            try (Stream<Path> files = Files.list(run.resolve("checkpoints"))) {
                if (files.anyMatch(f -> f.getFileName().toString().startsWith(".saving"))) {
                    return;
                }
            } catch (NoSuchFileException e) {
                Thread.onSpinWait();
            }
        }
    }

    private static List<String> results() {
        return List.of("lora/pytorch_lora_weights.safetensors", "samples/before-after.png", "checkpoints/update-000008/state.safetensors", "evaluations.jsonl");
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void endsInTheSameBytes() throws IOException, InterruptedException {
        Path whole = temp.resolve("whole");
        finish(start(whole));
        Path killed = temp.resolve("killed");
        RandomStream when = RandomStream.keyed(11, KILLS);
        for (int i = 0; i < KILLS; i++) {
            // Latest begins afresh where nothing was saved yet.
            Process process = start(killed, "--resume=latest");
            try {
                if (i % 2 == 0) {
                    untilSaving(process, killed);
                }
                process.waitFor(1 + (long) (when.nextDouble() * LONGEST_WAIT_MILLIS) / (i % 2 == 0 ? 100 : 1), TimeUnit.MILLISECONDS);
            } finally {
                process.destroyForcibly().waitFor();
            }
        }
        finish(start(killed, "--resume=latest"));
        for (String file : results()) {
            assertArrayEquals(Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(killed.resolve(file)), file);
        }
        List<String> lines = Files.readAllLines(killed.resolve("metrics.jsonl"));
        assertEquals(UPDATES, lines.size(), "one line for each update");
    }
}
