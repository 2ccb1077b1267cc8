package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import dev.retrograd.core.GraphUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Training through the command line on the CUDA backend, in the precision that it takes by itself, on the PTX emulator.
class CudaResumeTest {

    private static void train(Path output, int updates, String... more) {
        CommandLineRun.train(arguments(output, updates, more)).succeeds();
    }

    private static String[] arguments(Path output, int updates, String... more) {
        List<String> all = new ArrayList<>(List.of("--device=emulated", "--model=" + Golden.path("ci-sd/model"), "--updates=" + updates, "--seed=3", "--sample-every=0", "--sample-images=1",
                "--output=" + output));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    @Test void aResumedRunEndsInTheBytesOfAnUninterruptedOne(@TempDir Path folder) throws IOException {
        Path whole = folder.resolve("whole");
        train(whole, 2);
        Path parts = folder.resolve("parts");
        train(parts, 1);
        CommandLineRun.of("train", "--resume=" + parts, "--updates=2").succeeds();
        for (String file : List.of("lora/pytorch_lora_weights.safetensors", "checkpoints/update-000002/state.safetensors")) {
            assertArrayEquals(Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(parts.resolve(file)), file);
        }
        Path single = folder.resolve("single");
        train(single, 2, "--cuda-graphs=off");
        for (String file : List.of("lora/pytorch_lora_weights.safetensors", "checkpoints/update-000002/state.safetensors")) {
            assertArrayEquals(Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(single.resolve(file)), "with CUDA graphs and without, " + file);
        }
        assertTrue(Files.readString(single.resolve("config.json")).contains("\"cuda-graphs\" : \"off\""));
        assertTrue(Files.readString(whole.resolve("environment.json")).contains(", bf16"));
        List<String> metrics = Files.readAllLines(whole.resolve("metrics.jsonl"));
        for (String line : metrics) {
            assertTrue(number(line, "peak_bytes") == number(line, "planned_peak_bytes"), "peak bytes, planned and actual: " + line);
            assertFalse(line.contains("unplanned_allocations"), line);
            assertTrue(number(line, "graph_launches") > 100 && number(line, "graph_launches") <= GraphUse.MOST_LAUNCHES && number(line, "graph_bytes") > 0, "what CUDA graphs hold: " + line);
        }
        assertFalse(Files.readString(single.resolve("metrics.jsonl")).contains("graph_"), "without graphs");
    }

    private static long number(String json, String key) {
        return Long.parseLong(json.replaceAll("\\s", "").replaceAll(".*\"" + key + "\":(\\d+).*", "$1"));
    }
}
