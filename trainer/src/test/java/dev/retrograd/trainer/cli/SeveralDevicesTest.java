package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Golden;
import dev.retrograd.trainer.Computed;
import dev.retrograd.trainer.Replica;
import dev.retrograd.trainer.ReplicaThread;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `train --device` with several devices: who computes which micro-batch changes no bit.
class SeveralDevicesTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private Path train(String name, String device, String... further) {
        Path run = folder.resolve(name);
        List<String> arguments = new ArrayList<>(List.of("--model=" + Golden.path("ci-sd/model"), "--reward=compressibility", "--device=" + device, "--output=" + run));
        arguments.addAll(Arrays.asList(further));
        CommandLineRun.train(arguments.toArray(String[]::new)).succeeds();
        return run;
    }

    /// Every number of every update but times and the first device's own memory.
    private static List<ObjectNode> metrics(Path run) throws IOException {
        List<ObjectNode> all = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
            ObjectNode one = (ObjectNode) JSON.readTree(line);
            assertFalse(one.has("unplanned_allocations"), run + ": " + line);
            one.remove(List.of("seconds", "peak_bytes", "reserved_bytes", "graph_launches", "graph_bytes"));
            all.add(one);
        }
        return all;
    }

    private static void assertSame(Path expected, Path got) throws IOException {
        assertEquals(metrics(expected), metrics(got));
        assertArrayEquals(Files.readAllBytes(expected.resolve("lora/pytorch_lora_weights.safetensors")), Files.readAllBytes(got.resolve("lora/pytorch_lora_weights.safetensors")));
    }

    @ParameterizedTest
    @CsvSource({"alignprop, --kl-coefficient=0.1", "draft, --ema=0.5", "draft-lv, --guidance=1", "drtune, --drtune-steps=1", "refl, --guidance=3", "ddpo, --ddpo-updates-per-epoch=2", "rwr, --rwr-samples=10"})
    void oneTwoAndThreeDevicesEndInTheSameBytes(String method, String further) throws IOException {
        // Five images, two at a time: the last micro-batch is smaller, and three devices share three of them.
        String[] settings = {"--method=" + method, further, "--updates=2", "--batch-size=5", "--micro-batch-size=2", "--track=jpeg-size"};
        Path one = train("one", "cpu", settings);
        assertSame(one, train("two", "cpu,cpu", settings));
        assertSame(one, train("three", "cpu,cpu,cpu", settings));
    }

    @Test void devicesBeyondTheMicroBatchesAreIdleAndARunMayGoOnOnOthers() throws IOException {
        Path one = train("one", "cpu", "--updates=2", "--batch-size=2");
        Path two = train("two", "cpu,cpu,cpu", "--updates=1", "--batch-size=2", "--keep-checkpoints=0");
        assertTrue(Files.readString(two.resolve("config.json")).contains("\"cpu,cpu,cpu\""));
        CommandLineRun.of("train", "--resume", two.toString(), "--updates=2", "--device=cpu").succeeds();
        assertSame(one, two);
    }

    @Test void everyDevicesMemoryIsAsPlannedWithRewardsThatRememberPrompts() throws IOException {
        Path run = folder.resolve("run");
        CommandLineRun.train("--device=cpu,cpu", "--reward=clip:1,compressibility:2", "--track=hps", "--prompts=animals", "--batch-size=5", "--micro-batch-size=2", "--updates=2", "--output=" + run).succeeds();
        assertEquals(2, metrics(run).size());
    }

    @Test void aPlanChoosesForAllDevices() throws IOException {
        Path one = train("one", "cpu", "--batch-size=3", "--memory=3g");
        assertSame(one, train("two", "cpu,cpu", "--batch-size=3", "--memory=3g"));
    }

    /// As on a cluster, where others know nothing of a run but its settings, and what they are sent.
    @Test void aReplicaOfARunsSettingsComputesTheSame() throws IOException {
        String[] settings = {"--updates=2", "--batch-size=3", "--lora-targets=to_q,to_v", "--adam-betas=0.8,0.99", "--prompt=a $red fox, running", "--track=jpeg-size", "--memory=3g"};
        Path one = train("one", "cpu", settings);
        Path other = folder.resolve("other");
        List<String> arguments = new ArrayList<>(List.of(CommandLineRun.smallest("--model=" + Golden.path("ci-sd/model"), "--reward=compressibility", "--device=cpu", "--output=" + other)));
        arguments.removeFirst();
        arguments.removeIf(a -> a.startsWith("--prompt=") || a.startsWith("--updates=") || a.startsWith("--batch-size="));
        arguments.addAll(Arrays.asList(settings));
        List<ReplicaThread> opened = new ArrayList<>();
        StringWriter err = new StringWriter();
        int code = Cluster.train(of -> {
            ReplicaThread replica = new ReplicaThread("elsewhere", Cluster.replica(of, "cpu"));
            opened.add(replica);
            return (work, here, done) -> {
                float[][] weights = work.weights().get();
                // The last first: sums do not depend on it.
                for (int i = work.batches().size() - 1; i >= 0; i--) {
                    int number = i;
                    done.take(number, call(replica, r -> {
                        r.follow(weights, work.recomputed());
                        return r.compute(work.update(), work.batches().get(number), done::progressed);
                    }));
                }
            };
        }, new PrintWriter(Writer.nullWriter()), new PrintWriter(err), arguments.toArray(String[]::new));
        for (ReplicaThread replica : opened) {
            replica.close();
        }
        assertEquals("", err.toString());
        assertEquals(ExitCode.DONE, code);
        assertSame(one, other);
    }

    private static Computed call(ReplicaThread replica, Function<Replica, Computed> work) {
        try {
            return replica.call(work);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test void emulatedGpusAgreeBitForBit() throws IOException {
        String[] settings = {"--batch-size=2", "--steps=1", "--truncation=full", "--guidance=1"};
        assertSame(train("one", "emulated", settings), train("two", "emulated:all", settings));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "cpu,emulated:0 | devices of one type, on which results depend, got cpu and PTX emulator",
        "emulated:0,0 | must be a list that names each device once, got 'emulated:0,0'",
        "cpu, | --device: must be auto, cpu",
        "auto,cpu | --device: must be auto, cpu",
        "0,1 | --device: must be auto, cpu",
        "cpu:all | --device: must be auto, cpu",
    })
    void whatIsNoListOfLikeDevicesIsWrongUsage(String device, String message) {
        CommandLineRun.train("--device=" + device, "--output=" + folder.resolve("none")).failsWith(ExitCode.USAGE, message);
        assertFalse(Files.exists(folder.resolve("none")));
    }

    @Test void aWholeModelIsTrainedOnOneDevice() {
        CommandLineRun.train("--device=cpu,cpu", "--trainable=full", "--output=" + folder.resolve("none")).failsWith(ExitCode.USAGE, "--trainable: must be lora on several devices");
        assertFalse(Files.exists(folder.resolve("none")));
    }

    @Test void aDeviceThatIsNotThereAndACommandThatUsesOneAreToldSo() {
        CommandLineRun.train("--device=emulated:0,7").failsWith(ExitCode.FAILED, "this host has 2 devices of kind emulated, numbered from 0, got emulated:7");
        CommandLineRun.of("sample", "--device=cpu,cpu", "--prompt=a").failsWith(ExitCode.USAGE, "--device: must be one device for this command, got 'cpu,cpu'");
    }
}
