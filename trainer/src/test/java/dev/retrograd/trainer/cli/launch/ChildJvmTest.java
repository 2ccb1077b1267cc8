package dev.retrograd.trainer.cli.launch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// A launcher and its child as real processes.
class ChildJvmTest {

    private static final long PATIENCE_SECONDS = 30;

    @TempDir
    private Path folder;

    private Process parent;
    private ProcessHandle child;
    private Path stderr;

    private void start(String... childArguments) throws IOException {
        stderr = folder.resolve("stderr");
        List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "-cp",
                System.getProperty("java.class.path"), WaitingParent.class.getName()));
        command.addAll(List.of(childArguments));
        parent = new ProcessBuilder(command).redirectError(Redirect.to(stderr.toFile())).start();
        BufferedReader out = parent.inputReader(UTF_8);
        String pid = out.readLine();
        assertTrue(pid != null && pid.matches("[0-9]+"), "the child must print its process id, got " + pid + " and on stderr "
                + Files.readString(stderr));
        child = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
    }

    @AfterEach
    void leaveNothingRunning() {
        if (child != null) {
            child.destroyForcibly();
        }
        parent.destroyForcibly();
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void sigtermReachesTheChildWhichSavesBeforeBothEnd() throws IOException, InterruptedException {
        start();
        parent.toHandle().destroy();
        assertTrue(parent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the launcher must end");
        assertFalse(child.isAlive(), "the child must have ended first");
        assertEquals(130, parent.exitValue());
        assertEquals("saving\nsaved\n", Files.readString(stderr));
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void aChildThatCannotSaveSaysSoAndFails() throws IOException, InterruptedException {
        start("full-disk");
        parent.toHandle().destroy();
        assertTrue(parent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the launcher must end");
        assertEquals(1, parent.exitValue());
        assertEquals("saving\ndisk is full\n", Files.readString(stderr));
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void exitCodeOfTheChildIsTheLaunchers() throws IOException, InterruptedException {
        start();
        child.destroy();
        assertTrue(parent.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the launcher must end");
        assertEquals(130, parent.exitValue());
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void childDiesWithAKilledLauncher() throws InterruptedException, ExecutionException, TimeoutException, IOException {
        start();
        CompletableFuture<ProcessHandle> ended = child.onExit();
        parent.destroyForcibly();
        ended.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertFalse(child.isAlive());
        assertEquals("", Files.readString(stderr));
    }
}
