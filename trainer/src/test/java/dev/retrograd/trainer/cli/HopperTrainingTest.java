package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What has kernels for compute capability 9.0, asked for on the command line: an emulated device of that kind trains with them as with the kernels for every device.
class HopperTrainingTest {
    private static final List<String> HOPPER = List.of("--gemm=hopper", "--conv=hopper", "--attention=hopper");

    private static JsonNode update(Path output, String device, List<String> more) throws IOException {
        List<String> all = new ArrayList<>(List.of("--device=" + device, "--model=" + Golden.path("ci-sd/model"), "--updates=1", "--steps=1", "--truncation=full", "--batch-size=1",
                "--micro-batch-size=1", "--seed=3", "--sample-every=0", "--sample-images=1", "--output=" + output));
        all.addAll(more);
        CommandLineRun.train(all.toArray(String[]::new)).succeeds();
        return new ObjectMapper().readTree(Files.readAllLines(output.resolve("metrics.jsonl")).getLast());
    }

    @Test void anUpdateIsThatOfTheKernelsForEveryDevice(@TempDir Path folder) throws IOException {
        JsonNode exact = update(folder.resolve("exact"), "cpu", List.of());
        JsonNode hopper = update(folder.resolve("hopper"), "hopper", HOPPER);
        assertEquals(exact.get("loss").asDouble(), hopper.get("loss").asDouble(), 0.005);
        double ratio = hopper.get("grad_norm").asDouble() / exact.get("grad_norm").asDouble();
        assertTrue(ratio > 0.5 && ratio < 2, "gradient's norm over that in float32: " + ratio);
        assertEquals(hopper.get("planned_peak_bytes").asLong(), hopper.get("peak_bytes").asLong());
        JsonNode config = new ObjectMapper().readTree(folder.resolve("hopper/config.json").toFile());
        for (String option : List.of("gemm", "conv", "attention")) {
            assertEquals("hopper", config.findValue(option).asText(), option);
        }
    }

    /// Which attention kernels win is the emulator's whim; a run keeps to what it found.
    @Test void aRunThatChoseKernelsByTimingGoesOnWithThem(@TempDir Path folder) throws IOException {
        Path output = folder.resolve("run");
        update(output, "hopper", List.of("--attention=auto"));
        List<String> choices = Files.readAllLines(output.resolve("kernel-choices.txt"));
        for (String way : List.of("forward", "backward")) {
            assertTrue(choices.stream().anyMatch(l -> l.matches("attention " + way + " BF16 \\d+x4x4x8 to 77 keys = (ptx|hopper)")), choices.toString());
        }
        CommandLineRun.of("train", "--resume=" + output, "--updates=2").succeeds();
        assertEquals(choices, Files.readAllLines(output.resolve("kernel-choices.txt")));
        assertEquals("auto", new ObjectMapper().readTree(output.resolve("config.json").toFile()).findValue("attention").asText());
    }

    @Test void devicesOfOtherKindsRefuseEachOption(@TempDir Path folder) {
        for (String option : HOPPER) {
            CommandLineRun.train("--device=emulated", option, "--output=" + folder.resolve("run")).failsWith(ExitCode.FAILED,
                    "cuda: " + option.replace('=', ' ') + " needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0");
        }
    }

    @Test void gpuCheckRunsTheKernelsLastAndComparesRates(@TempDir Path folder) {
        CommandLineRun run = CommandLineRun.of("gpu-check", "--device=hopper", "--parts=kernels", "--precision=bf16", "--arch=tiny",
                "--cases=linearLayersOfASize 64|convolution .*WholeTiles|attention selfAttentionOverSoManyTokens 7", "--output=" + folder.resolve("check"));
        run.succeeds();
        for (String what : List.of("products", "convolutions", "attention")) {
            assertTrue(run.out().matches("(?s).*kernels bf16 on warpgroups\n\\.+\n" + what + " on warpgroups\n  passed rates in bf16: .* TFLOP/s, .* times .*"), run.out());
        }
    }
}
