package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.TorchCheckpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Diffusers folders from before safetensors.
class PyTorchFolderTest {
    private static final Path MODEL = Golden.path("ci-sd/model");

    @TempDir Path folder;

    /// The model with `.bin` files in place of safetensors.
    private void convert() throws IOException {
        try (Stream<Path> files = Files.walk(MODEL)) {
            for (Path from : files.filter(Files::isRegularFile).toList()) {
                String name = MODEL.relativize(from).toString();
                Path to = folder.resolve(name.replace("model.safetensors", name.startsWith("text_encoder") ? "pytorch_model.bin" : "model.bin"));
                Files.createDirectories(to.getParent());
                if (name.endsWith(".safetensors")) {
                    try (SafeTensors tensors = SafeTensors.open(from)) {
                        TorchCheckpoint.write(tensors, to);
                    }
                } else {
                    Files.copy(from, to);
                }
            }
        }
    }

    @Test void loadsTheSameModel() throws IOException {
        convert();
        int[] ids = {49406, 320, 2368, 49407};
        try (CpuBackend b = new CpuBackend(); StableDiffusion expected = StableDiffusion.load(b, MODEL); StableDiffusion got = StableDiffusion.load(b, folder);
                Scope _ = b.memory().open("text")) {
            assertArrayEquals(b.toFloats(expected.encodeText(ids)), b.toFloats(got.encodeText(ids)));
            Map<String, Parameter> weights = got.unetParameters();
            assertEquals(expected.unetParameters().keySet(), weights.keySet());
            for (Map.Entry<String, Parameter> e : expected.unetParameters().entrySet()) {
                assertArrayEquals(b.toFloats(e.getValue().value()), b.toFloats(weights.get(e.getKey()).value()), e.getKey());
            }
        }
    }

    @Test void aFolderWithoutWeightsSaysWhatItLooksFor() throws IOException {
        convert();
        Path unet = folder.resolve("unet");
        Files.delete(unet.resolve("diffusion_pytorch_model.bin"));
        try (CpuBackend b = new CpuBackend()) {
            assertEquals(unet + ": must have one of diffusion_pytorch_model.safetensors, diffusion_pytorch_model.fp16.safetensors, diffusion_pytorch_model.bin, diffusion_pytorch_model.fp16.bin",
                    assertThrows(ModelFormatException.class, () -> StableDiffusion.load(b, folder)).getMessage());
            assertEquals(0, b.memory().liveBytes());
        }
    }
}
