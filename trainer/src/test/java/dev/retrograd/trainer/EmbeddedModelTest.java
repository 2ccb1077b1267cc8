package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.trainer.prompts.BuiltInPrompts;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedModelTest {
    private static final long MOST_BYTES = 8_000_000;

    @TempDir
    private Path folder;

    @Test void unpacksAWorkingModelAndCleansUp() throws IOException {
        Path root;
        try (EmbeddedModel miniature = EmbeddedModel.unpack(); CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, miniature.files().model())) {
            root = miniature.files().root();
            assertTrue(EmbeddedModel.isComplete(root));
            assertEquals(64, model.imageSize());
            for (String prompt : PromptSource.of(BuiltInPrompts.WORLD).prompts()) {
                assertFalse(model.tokenizer().tokenize(prompt).truncated(), prompt);
            }
            ClipSimilarity.load(b, miniature.files().preference()).close();
            try (Stream<Path> files = Files.walk(root)) {
                assertTrue(files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum() <= MOST_BYTES, "the miniature is larger than " + MOST_BYTES + " bytes");
            }
        }
        assertFalse(Files.exists(root));
    }

    /// As diffusers' `AutoencoderKL` declares them: linear layers.
    @Test void theVaesAttentionHasMatrices() throws IOException {
        try (EmbeddedModel miniature = EmbeddedModel.unpack(); SafeTensors vae = SafeTensors.open(miniature.files().model().resolve("vae/diffusion_pytorch_model.safetensors"))) {
            for (String half : List.of("encoder", "decoder")) {
                for (String layer : List.of("to_q", "to_k", "to_v", "to_out.0")) {
                    assertEquals(Shape.of(80, 80), vae.spec(half + ".mid_block.attentions.0." + layer + ".weight").shape(), half + " " + layer);
                }
            }
        }
    }

    @Test void packingWhatWasUnpackedGivesTheSameBytes() throws IOException {
        try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
            Path archive = folder.resolve("again.zip");
            EmbeddedModel.pack(miniature.files().root(), archive);
            assertArrayEquals(EmbeddedModel.class.getResourceAsStream(EmbeddedModel.ARCHIVE).readAllBytes(), Files.readAllBytes(archive));
        }
    }

    @Test void theJudgeKnewItsPicturesByTheirCaptions() throws IOException {
        try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
            JsonNode report = new ObjectMapper().readTree(miniature.files().root().resolve("report.json").toFile());
            for (String part : List.of("training", "held_out")) {
                double own = report.get(part).get("judge").get("figure_and_paint").asDouble();
                double shuffled = report.get(part).get("judge_shuffled").get("figure_and_paint").asDouble();
                assertTrue(own > 3 * shuffled, part + ": shape and colour right in " + own + " of the pictures, against other captions in " + shuffled);
            }
        }
    }
}
