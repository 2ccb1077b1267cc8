package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.trainer.RunDirectory;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainCommandTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long PATIENCE_SECONDS = 60;
    private static final int SIGINT = 2;

    @TempDir
    private Path temp;

    private static byte[] lora(Path run) throws IOException {
        return Files.readAllBytes(run.resolve("lora/pytorch_lora_weights.safetensors"));
    }

    private static JsonNode config(Path run) throws IOException {
        return JSON.readTree(run.resolve("config.json").toFile());
    }

    @Test
    void aRunsSettingsGiveTheSameRunAgain() throws IOException {
        Path first = temp.resolve("first");
        CommandLineRun.train("--output=" + first, "--updates=2", "--adam-betas=0.8,0.99", "--lora-targets=to_q,ff.net.2", "--prompt=a ${user.home} $$ $${x} $5 ${ \"cat\" \\ @home, in 1,000 colours", "--prompt=un café",
                "--negative-prompt=ugly", "--ema=0.5", "--truncation=gaussian(1,2)", "--lr-schedule=cosine", "--target=-0.5", "--seed=-7", "--eta=1", "--width=24", "--eval-prompts=" + Files.writeString(temp.resolve("unseen.json"), "[\"a dog\"]"), "--track=jpeg-size").succeeds();
        Path second = temp.resolve("second");
        CommandLineRun.train("--config=" + first.resolve("config.json"), "--output=" + second).succeeds();
        assertEquals(config(first), config(second));
        assertEquals("un café", config(first).get("prompt").get(1).textValue());
        assertArrayEquals(lora(first), lora(second));
        assertArrayEquals(Files.readAllBytes(first.resolve("samples/before-after.png")), Files.readAllBytes(second.resolve("samples/before-after.png")));
    }

    @Test
    void flagsOverrideTheFileWhichOverridesTheResumedRunWhichOverridesThePreset() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train("--output=" + run, "--learning-rate=0.5", "--guidance=3").succeeds();
        assertEquals(5, config(run).get("save-every").intValue(), "from the preset");
        ObjectNode settings = JSON.createObjectNode().put("learning-rate", 0.25).put("updates", 2).put("prompts", "animals-eval");
        Path file = Files.writeString(temp.resolve("settings.json"), settings.toString());
        CommandLineRun resumed = CommandLineRun.train("--resume=" + run, "--config=" + file, "--updates=3", "--save-every=2");
        resumed.succeeds();
        assertTrue(resumed.out().contains("going on after update 1"), resumed.out());
        JsonNode merged = config(run);
        assertEquals(3, merged.get("guidance").doubleValue(), "the resumed run's, over the preset's");
        assertEquals(0.25, merged.get("learning-rate").doubleValue(), "the file's, over the resumed run's");
        assertEquals("animals-eval", merged.get("prompts").textValue());
        assertFalse(merged.has("prompt"), "the file's --prompts replaces the resumed run's --prompt");
        assertEquals(3, merged.get("updates").intValue(), "the flag's, over the file's");
    }

    @Test
    void metricsHaveTheirKeysAndProgressIsPlainLines() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun trained = CommandLineRun.train("--output=" + run);
        trained.succeeds();
        assertTrue(trained.out().chars().noneMatch(c -> c == '\r' || c == 0x1B), trained.out());
        assertTrue(trained.out().lines().anyMatch(l -> l.startsWith("update 1/1 ")), trained.out());
        List<String> keys = new ArrayList<>();
        JSON.readTree(Files.readAllLines(run.resolve("metrics.jsonl")).getFirst()).fieldNames().forEachRemaining(keys::add);
        assertEquals(List.of("update", "k", "loss", "reward_mean", "reward_std", "grad_norm", "learning_rate", "seconds", "peak_bytes", "planned_peak_bytes", "reserved_bytes"), keys);
    }

    @Test
    void aFolderThatIsInUseOrHoldsARunIsLeftAlone() throws IOException {
        Path run = temp.resolve("run");
        try (RunDirectory _ = RunDirectory.open(run)) {
            CommandLineRun.train("--output=" + run).failsWith(ExitCode.FAILED, "in use by another run");
            CommandLineRun.train("--resume=" + run).failsWith(ExitCode.FAILED, "in use by another run");
        }
        assertFalse(Files.exists(run), "nobody wrote anything");
        Files.createDirectories(run);
        Files.writeString(run.resolve("metrics.jsonl"), "{\"update\":1}\n");
        CommandLineRun.train("--output=" + run).failsWith(ExitCode.FAILED, "holds a run already");
        assertEquals("{\"update\":1}\n", Files.readString(run.resolve("metrics.jsonl")));
        assertFalse(Files.exists(run.resolve("config.json")));
    }

    @Test
    void damagedAndForeignCheckpointsAreRefusedAndLeftAsTheyAre() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train("--output=" + run).succeeds();
        byte[] result = lora(run);
        CommandLineRun.train("--resume=" + run, "--lora-rank=3").failsWith(ExitCode.FAILED, "--lora-rank");
        CommandLineRun.train("--resume=" + run, "--lora-targets=to_q").failsWith(ExitCode.FAILED, "--lora-targets");
        Path state = run.resolve("checkpoints/update-000001/state.safetensors");
        byte[] whole = Files.readAllBytes(state);
        byte[] flipped = whole.clone();
        flipped[flipped.length - 9] ^= 4;
        Files.write(state, flipped);
        CommandLineRun.train("--resume=" + run).failsWith(ExitCode.FAILED, "state.safetensors", "damaged");
        Files.write(state, Arrays.copyOf(whole, whole.length - 1));
        CommandLineRun.train("--resume=" + run).failsWith(ExitCode.FAILED, "state.safetensors");
        CommandLineRun.train("--resume=" + temp.resolve("nowhere")).failsWith(ExitCode.FAILED, "nowhere");
        assertArrayEquals(result, lora(run));
        assertEquals(1, Files.readAllLines(run.resolve("metrics.jsonl")).size());
    }

    @Test
    void theNewestWholeCheckpointIsUsedAndSaid() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train("--output=" + run, "--updates=3", "--save-every=1").succeeds();
        byte[] result = lora(run);
        for (int damaged : new int[] {3, 2}) {
            Path state = run.resolve("checkpoints/update-00000" + damaged + "/state.safetensors");
            byte[] bytes = Files.readAllBytes(state);
            bytes[bytes.length - 9] ^= 4;
            Files.write(state, bytes);
        }
        CommandLineRun again = CommandLineRun.train("--resume=" + run);
        again.succeeds();
        assertTrue(again.out().contains("update-000003") && again.out().contains("damaged"), again.out());
        assertTrue(again.out().contains("going on from the one before: " + run.resolve("checkpoints/update-000001")), again.out());
        assertArrayEquals(result, lora(run));
    }

    @Test
    void goingOnFromAnEarlierCheckpointReplacesTheLaterOnes() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun.train("--output=" + run, "--updates=3", "--save-every=1").succeeds();
        byte[] third = Files.readAllBytes(run.resolve("checkpoints/update-000003/state.safetensors"));
        Files.createDirectory(run.resolve("checkpoints/.saving-123"));
        Files.writeString(run.resolve("samples/.update-000002.png.17.tmp"), "half");
        Files.writeString(run.resolve(".kernel-choices.txt.17.tmp"), "half");
        Path first = run.resolve("checkpoints/update-000001");
        CommandLineRun.train("--resume=" + first, "--learning-rate=0.5").succeeds();
        assertFalse(Arrays.equals(third, Files.readAllBytes(run.resolve("checkpoints/update-000003/state.safetensors"))), "of another learning rate");
        assertEquals(3, Files.readAllLines(run.resolve("metrics.jsonl")).size());
        assertFalse(Files.exists(run.resolve("checkpoints/.saving-123")) || Files.exists(run.resolve("samples/.update-000002.png.17.tmp")) || Files.exists(run.resolve(".kernel-choices.txt.17.tmp")), "what a killed process left");
    }

    @Test
    void resumingWhereThereIsNoCheckpointStartsAtTheBeginningAndSaysSo() throws IOException {
        Path run = temp.resolve("run");
        CommandLineRun started = CommandLineRun.train("--resume=latest", "--output=" + run, "--updates=1", "--batch-size=1", "--micro-batch-size=1", "--steps=2", "--prompt=x", "--height=8", "--width=16");
        started.succeeds();
        assertTrue(started.out().contains("no checkpoint in " + run + ": starting at update 0"), started.out());
    }

    @Test
    void ctrlCSavesAndTheResumedRunEndsInTheBytesOfAnUninterruptedOne() throws IOException, InterruptedException {
        String[] settings = {"--updates=50000", "--save-every=100000", "--sample-every=0", "--height=8", "--width=8", "--steps=1"};
        Path cut = temp.resolve("cut");
        Process process = start(cut, settings);
        Path metrics = cut.resolve("metrics.jsonl");
        for (long waited = 0; waited < PATIENCE_SECONDS * 20 && process.isAlive() && !(Files.exists(metrics) && Files.size(metrics) > 0); waited++) {
            Thread.sleep(50);
        }
        CommandLineRun.train("--resume=" + cut).failsWith(ExitCode.FAILED, "in use by another run");
        new ProcessBuilder("kill", stopping(process), Long.toString(process.pid())).inheritIO().start().waitFor();
        assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the run must end");
        assertEquals("", Files.readString(temp.resolve("stderr")));
        assertEquals(ExitCode.INTERRUPTED, process.exitValue());
        int done = Files.readAllLines(metrics).size();
        assertTrue(done < 50000 && Files.isDirectory(RunDirectory.checkpointsOf(cut).getLast()), "after " + done + " updates");
        int updates = done + 1;
        CommandLineRun.train("--resume=" + cut, "--updates=" + updates).succeeds();
        Path whole = temp.resolve("whole");
        settings[0] = "--updates=" + updates;
        String[] all = Arrays.copyOf(settings, settings.length + 1);
        all[settings.length] = "--output=" + whole;
        CommandLineRun.train(all).succeeds();
        assertArrayEquals(lora(whole), lora(cut));
    }

    /// Ctrl-C. Where these tests were started in a way that ignores it, as by `nohup … &`, so does what they start; then SIGTERM, for which the program does the same.
    private static String stopping(Process process) throws IOException {
        Path status = Path.of("/proc", Long.toString(process.pid()), "status");
        boolean ignored = false;
        if (Files.exists(status)) {
            String mask = Files.readAllLines(status).stream().filter(l -> l.startsWith("SigIgn:")).findFirst().orElseThrow().substring("SigIgn:".length()).strip();
            ignored = (Long.parseUnsignedLong(mask, 16) & 1L << SIGINT - 1) != 0;
        }
        return ignored ? "-TERM" : "-INT";
    }

    private Process start(Path output, String... settings) throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(CommandLineRun.smallest(settings)));
        command.add("--output=" + output);
        File out = temp.resolve("stdout").toFile();
        // The JVM's own announcement of the Vector API goes to the error stream that it is born with: not the program's.
        return new ProcessBuilder(shell(command)).redirectOutput(out).start();
    }

    private List<String> shell(List<String> command) {
        List<String> all = new ArrayList<>(List.of("bash", "-c", "exec 3>\"$0\"; exec \"$@\" 2>/dev/null", temp.resolve("stderr").toString()));
        all.addAll(command);
        all.add(all.indexOf("-cp"), "-Dretrograd.stderr=3");
        return all;
    }
}
