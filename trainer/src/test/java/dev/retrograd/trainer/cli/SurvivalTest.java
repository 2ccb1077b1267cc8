package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.trainer.RunDirectory;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// What a run does when the machine lets it down, other than killing it.
class SurvivalTest {
    private static final long PATIENCE_SECONDS = 300;
    private static final String LORA = "lora/pytorch_lora_weights.safetensors";

    @TempDir private Path temp;

    private static String[] settings(Path output, String... more) {
        List<String> all = new ArrayList<>(List.of("--model=" + Golden.path("ci-sd/model"), "--reward=compressibility", "--sample-every=0", "--keep-checkpoints=0", "--output=" + output));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    private static Map<String, byte[]> content(Path folder) throws IOException {
        Map<String, byte[]> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path f : files.filter(Files::isRegularFile).toList()) {
                all.put(folder.relativize(f).toString(), Files.readAllBytes(f));
            }
        }
        return all;
    }

    private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> got) {
        assertEquals(expected.keySet(), got.keySet());
        expected.forEach((name, bytes) -> assertArrayEquals(bytes, got.get(name), name));
    }

    /// The largest file that a process may write stands for the room that is left: the state of a checkpoint is the largest of a run.
    @Test @EnabledOnOs({OS.LINUX, OS.MAC})
    void aDiskThatIsFullWhileSavingLeavesTheCheckpointsThatThereAre() throws IOException, InterruptedException {
        Path run = temp.resolve("run");
        CommandLineRun.train(settings(run, "--updates=1")).succeeds();
        Path first = run.resolve("checkpoints/" + RunDirectory.updateName(1));
        long state = Files.size(first.resolve("state.safetensors"));
        Map<String, byte[]> before = content(first);
        List<String> command = new ArrayList<>(List.of("bash", "-c", "ulimit -f " + state / 1024 / 2 + "; exec \"$@\"", "bash", System.getProperty("java.home") + "/bin/java", "--add-modules", "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED", "-XX:-UsePerfData", "-cp", System.getProperty("java.class.path"), Main.class.getName(), "train", "--resume=" + run, "--updates=2"));
        Path log = temp.resolve("log");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(Redirect.to(log.toFile())).start();
        assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the run must end");
        String said = Files.readString(log);
        assertEquals(ExitCode.FAILED, process.exitValue(), said);
        assertTrue(said.lines().anyMatch(l -> l.startsWith("retrograd: ") && l.contains("state.safetensors: could not be written: File too large")), said);
        assertTrue(said.lines().noneMatch(l -> l.startsWith("\tat ")), said);
        try (Stream<Path> left = Files.list(run.resolve("checkpoints"))) {
            assertEquals(List.of(first), left.toList());
        }
        assertSame(before, content(first));
        // With room again it goes on as if nothing had been.
        CommandLineRun.of("train", "--resume=" + run, "--updates=2").succeeds();
        Path whole = temp.resolve("whole");
        CommandLineRun.train(settings(whole, "--updates=2")).succeeds();
        assertArrayEquals(Files.readAllBytes(whole.resolve(LORA)), Files.readAllBytes(run.resolve(LORA)));
    }

    @Test void aRunFolderThatCannotBeWrittenIsNamedAndLeftAsItIs() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train(settings(run, "--updates=1")).succeeds();
        Map<String, byte[]> before = content(run);
        try {
            Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("r-xr-xr-x"));
            assumeFalse(Files.isWritable(run), "permissions do not bind this user");
            CommandLineRun.of("train", "--resume=" + run, "--updates=2").failsWith(ExitCode.FAILED, run.toString());
        } finally {
            Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        assertSame(before, content(run));
    }

    @Test void aFolderForCheckpointsThatCannotBeMadeIsNamed() throws IOException {
        Path run = temp.resolve("run");
        Files.createDirectories(run);
        Files.writeString(run.resolve("checkpoints"), "a file");
        CommandLineRun.train(settings(run)).failsWith(ExitCode.FAILED, run.resolve("checkpoints").toString());
        assertEquals("a file", Files.readString(run.resolve("checkpoints")));
    }

    /// Every bit of the state counts, header and checksum included.
    @Test void aFlippedBitAnywhereInTheNewestCheckpointIsFoundAndTheOneBeforeUsed() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train(settings(run, "--updates=2")).succeeds();
        byte[] result = Files.readAllBytes(run.resolve(LORA));
        Path state = run.resolve("checkpoints/" + RunDirectory.updateName(2) + "/state.safetensors");
        byte[] good = Files.readAllBytes(state);
        RandomStream random = new RandomStream(5);
        for (long at : new long[] {0, 9, 40, random.randint(100, good.length), random.randint(100, good.length), good.length - 1}) {
            byte[] bad = good.clone();
            bad[(int) at] ^= (byte) (1 << random.randint(0, 8));
            Files.write(state, bad);
            CommandLineRun again = CommandLineRun.of("train", "--resume=" + run);
            again.succeeds();
            assertTrue(again.out().contains(state + ": ") && again.out().contains("going on from the one before: " + run.resolve("checkpoints/" + RunDirectory.updateName(1))), "byte " + at + ": " + again.out());
            assertArrayEquals(result, Files.readAllBytes(run.resolve(LORA)), "byte " + at);
        }
    }

    /// As after a clock that was years ahead and has been set right.
    @Test void filesFromTheFutureChangeNothing() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train(settings(run, "--updates=1")).succeeds();
        long future = System.currentTimeMillis() / 1000 + 1_000_000_000L;
        try (Stream<Path> all = Files.walk(run)) {
            for (Path f : all.toList()) {
                assertTrue(f.toFile().setLastModified(future * 1000), f.toString());
            }
        }
        Path events = events(run).getFirst();
        Files.move(events, events.resolveSibling("events.out.tfevents." + future + ".retrograd.1.0"));
        CommandLineRun.of("train", "--resume=" + run, "--updates=2").succeeds();
        List<Path> after = events(run);
        assertEquals(2, after.size());
        assertTrue(after.getLast().getFileName().toString().startsWith("events.out.tfevents." + (future + 1)), "TensorBoard reads in the order of names: " + after);
        Path whole = temp.resolve("whole");
        CommandLineRun.train(settings(whole, "--updates=2")).succeeds();
        assertArrayEquals(Files.readAllBytes(whole.resolve(LORA)), Files.readAllBytes(run.resolve(LORA)));
    }

    private static List<Path> events(Path run) throws IOException {
        try (Stream<Path> all = Files.walk(run)) {
            return all.filter(f -> f.getFileName().toString().startsWith("events.out.tfevents.")).sorted().toList();
        }
    }
}
