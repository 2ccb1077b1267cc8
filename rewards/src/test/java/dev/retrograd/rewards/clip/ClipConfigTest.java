package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Unary;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.unet.text.ClipTextConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClipConfigTest {
    @TempDir Path folder;

    private ClipConfig read(String json) throws IOException {
        return ClipConfig.read(Files.writeString(folder.resolve("config.json"), json));
    }

    private void refused(String json, String message) {
        String got = assertThrows(ModelFormatException.class, () -> read(json)).getMessage();
        assertTrue(got.endsWith(message), got);
    }

    @Test void missingSettingsHaveTransformersDefaults() throws IOException {
        ClipConfig config = read("{\"model_type\": \"clip\"}");
        assertEquals(new ClipTextConfig(49408, 512, 2048, 12, 8, 77, 1e-5, Unary.QUICK_GELU, 49407), config.text());
        assertEquals(new ClipVisionConfig(224, 32, 768, 3072, 12, 12, 1e-5, Unary.QUICK_GELU), config.vision());
        assertEquals(512, config.projection());
        assertEquals(50, config.vision().tokens());
    }

    @Test void readsAModernFile() throws IOException {
        ClipConfig config = read("""
                {"architectures": ["CLIPModel"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": 1024,
                 "text_config": {"hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "model_type": "clip_text_model", "num_attention_heads": 16, "num_hidden_layers": 24},
                 "torch_dtype": "float32", "transformers_version": "4.45.0",
                 "vision_config": {"hidden_act": "gelu", "hidden_size": 1280, "intermediate_size": 5120, "model_type": "clip_vision_model", "num_attention_heads": 16,
                                   "num_hidden_layers": 32, "patch_size": 14}}""");
        assertEquals(new ClipVisionConfig(224, 14, 1280, 5120, 32, 16, 1e-5, Unary.GELU), config.vision());
        assertEquals(new ClipTextConfig(49408, 1024, 4096, 24, 16, 77, 1e-5, Unary.GELU, 49407), config.text());
        assertEquals(1024, config.projection());
        assertEquals(257, config.vision().tokens());
    }

    /// Upstream completes the dictionary by its defaults before it overrules the other one.
    @Test void theDictionariesOfOldFilesOverrule() throws IOException {
        ClipConfig config = read("""
                {"model_type": "clip", "text_config": {"hidden_size": 64, "eos_token_id": 2, "bad_words_ids": null, "temperature": 1.0, "is_decoder": false},
                 "text_config_dict": {"hidden_size": 768, "num_attention_heads": 12}, "vision_config": {"patch_size": 16}, "vision_config_dict": {"patch_size": 14}}""");
        assertEquals(768, config.text().width());
        assertEquals(49407, config.text().endToken());
        assertEquals(14, config.vision().patchSize());
    }

    @Test void refusesWhatItDoesNotCompute() {
        refused("{\"model_type\": \"siglip\"}", "'model_type' must be clip, got siglip");
        refused("{\"model_type\": \"clip\", \"vision_config\": {\"hidden_act\": \"relu\"}}", "'hidden_act' must be quick_gelu or gelu, got relu");
        refused("{\"model_type\": \"clip\", \"vision_config\": {\"num_channels\": 4}}", "'num_channels' 4 is not supported, only 3 is");
        refused("{\"model_type\": \"clip\", \"vision_config\": {\"registers\": 4}}", "not supported: 'registers' 4");
        refused("{\"model_type\": \"clip\", \"vision_config\": {\"num_attention_heads\": 7}}", "'hidden_size' must divide by 'num_attention_heads', got 768 and 7");
        refused("{\"model_type\": \"clip\", \"vision_config\": {\"patch_size\": 225}}", "'patch_size' must be at most 'image_size' 224, got 225");
        refused("{\"model_type\": \"clip\", \"extra\": 1}", "not supported: 'extra' 1");
    }
}
