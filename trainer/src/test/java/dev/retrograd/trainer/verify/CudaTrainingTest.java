package dev.retrograd.trainer.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Precision;
import dev.retrograd.cuda.CudaBackend;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A whole AlignProp update through the CUDA backend, on the PTX emulator.
class CudaTrainingTest {
    private static final String FOLDER = "ci-alignprop";
    private static final long DEVICE_BYTES = 64L << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    /// The reference folder with its training check only, and of that the first update, which does all that the second does.
    private static Path firstUpdate(Path folder) throws IOException {
        Files.createSymbolicLink(folder.resolve("ci-sd"), Golden.path("ci-sd"));
        Path reduced = Files.createDirectory(folder.resolve(FOLDER));
        for (String shared : new String[] {"reference.safetensors", "lora", "lora_old"}) {
            Files.createSymbolicLink(reduced.resolve(shared), Golden.path(FOLDER + "/" + shared));
        }
        ObjectNode all = (ObjectNode) JSON.readTree(Golden.path(FOLDER + "/checks.json").toFile());
        List<JsonNode> training = new ArrayList<>();
        for (JsonNode check : all.get("checks")) {
            if (check.get("kind").asText().equals("alignprop-train")) {
                ((ObjectNode) check).put("updates", 1);
                ((ObjectNode) check.get("expect")).retain(check.get("expect").propertyStream().map(e -> e.getKey()).filter(name -> name.startsWith("step1")).toList());
                training.add(check);
            }
        }
        all.putArray("checks").addAll(training);
        JSON.writeValue(reduced.resolve("checks.json").toFile(), all);
        return reduced;
    }

    @Test void anUpdateInFloat32IsWithinTheLimitsOfTheReference(@TempDir Path folder) throws IOException {
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES).lazy();
        List<Outcome> outcomes = new ArrayList<>();
        try (CudaBackend backend = new CudaBackend(driver, Precision.F32)) {
            new Verifier(backend, outcomes::add).verify(firstUpdate(folder));
            assertEquals(0, backend.memory().liveBytes(), "live bytes when all models are closed");
            assertTrue(backend.reservedBytes() >= backend.memory().peakBytes(), "reserved " + backend.reservedBytes());
        }
        assertEquals(0, driver.allocations(), "allocations that the backend left behind");
        List<Outcome> failed = outcomes.stream().filter(o -> !o.passed()).toList();
        assertTrue(failed.isEmpty(), () -> failed.size() + " failed, the first " + failed.getFirst());
        assertEquals(30, outcomes.size(), "loss, gradient norm, and 28 matrices after AdamW");
    }
}
