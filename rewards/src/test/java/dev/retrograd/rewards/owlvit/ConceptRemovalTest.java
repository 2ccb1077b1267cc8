package dev.retrograd.rewards.owlvit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.RewardContract;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Upstream's logits, boxes and gradients are checked by `verify` on the reference folder tiny-rewards, too large for the repository.
class ConceptRemovalTest extends RewardContract {
    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyOwlVit.write(folder);
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return load(b, "cat");
    }

    private DifferentiableReward load(Backend b, String concept) throws IOException {
        return ConceptRemoval.load(b, folder, ClipTokenizer.load(folder), concept);
    }

    private float[] scores(String concept) throws IOException {
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = load(b, concept); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, new RandomValues(5).uniform(IMAGES.elements(), 0, 1))), List.of()).value());
        }
    }

    @Test void isOneLessTheConfidenceOfTheSurestPatch() throws IOException {
        float[] got = scores("cat");
        try (CpuBackend b = new CpuBackend(); Query query = Query.load(b, folder, ClipTokenizer.load(folder), "cat"); Scope _ = b.memory().open("score");
                Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var pixels = t.constant(b.floats("pixels", IMAGES, new RandomValues(5).uniform(IMAGES.elements(), 0, 1)));
            float[] confidences = b.toFloats(query.confidences(query.patches(pixels)).value());
            for (int i = 0; i < 2; i++) {
                float largest = 0;
                for (int p = 0; p < 9; p++) {
                    largest = Math.max(largest, confidences[9 * i + p]);
                }
                assertTrue(largest > 0 && largest < 1, "a confidence: " + largest);
                assertEquals(1 - largest, got[i], 1e-6);
            }
        }
    }

    /// As upstream's folders have it.
    @Test void readsPreprocessorConfigurations() throws IOException {
        float[] expected = scores("cat");
        Files.writeString(folder.resolve("preprocessor_config.json"), """
                {"crop_size": {"height": 9, "width": 9}, "do_center_crop": true, "do_normalize": true, "do_rescale": true, "do_resize": true, "resample": 3, "size": [9, 9],
                 "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}""");
        assertArrayEquals(expected, scores("cat"));
    }

    @Test void theQueryCounts() throws IOException {
        assertNotEquals(scores("cat")[0], scores("dog")[0], 1e-5f);
    }

    private void refused(String message) {
        try (CpuBackend b = new CpuBackend()) {
            String got = assertThrows(ModelFormatException.class, () -> load(b)).getMessage();
            assertTrue(got.endsWith(message), got);
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void refusesOtherModelsAndLeavesNothingBehind() throws IOException {
        Files.writeString(folder.resolve("config.json"), TinyOwlVit.CONFIG.replace("\"vocab_size\": 55", "\"vocab_size\": 54"));
        refused("tensor 'owlvit.text_model.embeddings.token_embedding.weight' must be [54,6] after the model's config.json, got [55,6]");
        Files.writeString(folder.resolve("config.json"), TinyOwlVit.CONFIG.replace("\"projection_dim\": 6", "\"projection_dim\": 5"));
        refused("'projection_dim' must be the text tower's hidden_size 6, got 5");
        Files.writeString(folder.resolve("config.json"), TinyOwlVit.CONFIG.replace("owlvit", "owlv2"));
        refused("'model_type' must be owlvit, got owlv2");
        TinyOwlVit.write(folder);
        Files.writeString(folder.resolve("preprocessor_config.json"), "{\"do_center_crop\": true, \"crop_size\": 5}");
        refused("'crop_size' must be the model's image_size 9, got 5");
        Files.writeString(folder.resolve("preprocessor_config.json"), "{\"resample\": 2}");
        refused("'resample' 2 is not supported, only 3 is");
    }

    @Test void refusesAnEmptyQuery() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            assertEquals("owlvit: a query is required, got ' '", assertThrows(IllegalArgumentException.class, () -> load(b, " ")).getMessage());
        }
    }
}
