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

/// A host with cuBLAS and cuDNN, which stand-ins are here: where they are asked for, they train as the CPU does, in the memory of the plan.
class LibrariesTrainingTest {
    private static JsonNode update(Path output, String device, String... more) throws IOException {
        List<String> all = new ArrayList<>(List.of("--device=" + device, "--model=" + Golden.path("ci-sd/model"), "--updates=1", "--steps=1", "--truncation=full", "--batch-size=1",
                "--micro-batch-size=1", "--seed=3", "--precision=f32", "--sample-every=0", "--sample-images=1", "--output=" + output));
        all.addAll(List.of(more));
        CommandLineRun.train(all.toArray(String[]::new)).succeeds();
        return new ObjectMapper().readTree(Files.readAllLines(output.resolve("metrics.jsonl")).getLast());
    }

    @Test void anUpdateIsThatOfTheCpu(@TempDir Path folder) throws IOException {
        JsonNode own = update(folder.resolve("own"), "cpu");
        JsonNode theirs = update(folder.resolve("theirs"), "libraries", "--gemm=cublas", "--conv=cudnn");
        assertEquals(own.get("loss").asDouble(), theirs.get("loss").asDouble(), 1e-4 * Math.abs(own.get("loss").asDouble()));
        double ratio = theirs.get("grad_norm").asDouble() / own.get("grad_norm").asDouble();
        assertTrue(Math.abs(ratio - 1) < 1e-3, "gradient's norm over that of the CPU: " + ratio);
        assertEquals(theirs.get("planned_peak_bytes").asLong(), theirs.get("peak_bytes").asLong());
        JsonNode config = new ObjectMapper().readTree(folder.resolve("theirs/config.json").toFile());
        assertEquals(List.of("cublas", "cudnn"), List.of(config.findValue("gemm").asText(), config.findValue("conv").asText()));
    }
}
