package dev.retrograd.unet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Golden;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.vae.VaeConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// A component's configuration of the small model, with one key changed.
    private static ModelConfig changed(String component, String key, String value) throws IOException {
        ObjectNode node = (ObjectNode) JSON.readTree(Files.readAllBytes(Golden.path("ci-sd/model/" + component + "/config.json")));
        if (value.equals("absent")) {
            node.remove(key);
        } else {
            node.set(key, JSON.readTree(value.replace('\'', '"')));
        }
        return ModelConfig.of(component, node);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "attention_window|3|unet: not supported: 'attention_window' 3",
        "down_block_types|['CrossAttnDownBlock2D', 'AttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D']|unet: block type 'AttnDownBlock2D' is not supported, only 'CrossAttnDownBlock2D' and 'DownBlock2D' are",
        "up_block_types|['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D']|unet: 'up_block_types' must mirror 'down_block_types', got [UpBlock2D, CrossAttnUpBlock2D, CrossAttnUpBlock2D, UpBlock2D] for [CrossAttnDownBlock2D, CrossAttnDownBlock2D, CrossAttnDownBlock2D, DownBlock2D]",
        "down_block_types|['DownBlock2D']|unet: 'down_block_types', 'up_block_types' and 'block_out_channels' must be equally long, got 1, 4 and 4",
        "act_fn|'gelu'|unet: 'act_fn' \"gelu\" is not supported, only \"silu\" is",
        "class_embed_type|'timestep'|unet: 'class_embed_type' \"timestep\" is not supported, only null is",
        "mid_block_type|'UNetMidBlock2DSimpleCrossAttn'|unet: 'mid_block_type' \"UNetMidBlock2DSimpleCrossAttn\" is not supported, only \"UNetMidBlock2DCrossAttn\" is",
        "attention_head_dim|7|unet: each of 'block_out_channels' must divide by its number of heads, got 32 and 7",
        "attention_head_dim|[4, 4]|unet: 'attention_head_dim' must be one number or a list of 4, got [4,4]",
        "layers_per_block|0|unet: 'layers_per_block' must be a positive integer, got 0",
        "layers_per_block|absent|unet: 'layers_per_block' must be a positive integer, got nothing",
        "layers_per_block|2000000000|unet: 'layers_per_block' must be at most 1048576, got 2000000000",
        "block_out_channels|[32, 32, 1000000000, 64]|unet: 'block_out_channels' must be at most 1048576, got [32,32,1000000000,64]",
        "block_out_channels|[]|unet: 'block_out_channels' must be a non-empty list, got []",
        "norm_eps|'small'|unet: 'norm_eps' must be a number, got \"small\""})
    void refusesAUNetByName(String key, String value, String message) {
        assertEquals(message, assertThrows(ModelFormatException.class, () -> UNetConfig.of(changed("unet", key, value))).getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "up_block_types|['AttnUpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D']|vae: block type 'AttnUpDecoderBlock2D' is not supported, only 'UpDecoderBlock2D' is",
        "shift_factor|0.1|vae: 'shift_factor' 0.1 is not supported, only null is",
        "wavelets|true|vae: not supported: 'wavelets' true"})
    void refusesAnAutoencoderByName(String key, String value, String message) {
        assertEquals(message, assertThrows(ModelFormatException.class, () -> VaeConfig.of(changed("vae", key, value))).getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "hidden_act|'relu'|text_encoder: 'hidden_act' must be quick_gelu or gelu, got relu",
        "num_attention_heads|3|text_encoder: 'hidden_size' must divide by 'num_attention_heads', got 16 and 3",
        "rope_theta|1.0|text_encoder: not supported: 'rope_theta' 1.0"})
    void refusesATextEncoderByName(String key, String value, String message) {
        assertEquals(message, assertThrows(ModelFormatException.class, () -> ClipTextConfig.of(changed("text_encoder", key, value))).getMessage());
    }

    @Test void acceptsEverythingThatNewerFilesSpellOut() throws IOException {
        UNetConfig lists = UNetConfig.of(changed("unet", "attention_head_dim", "[2, 4, 8, 16]"));
        assertEquals(List.of(2, 4, 8, 16), lists.heads());
        assertEquals(List.of(1, 2, 1, 3), UNetConfig.of(changed("unet", "transformer_layers_per_block", "[1, 2, 1, 3]")).transformerLayers());
        assertTrue(UNetConfig.of(changed("unet", "use_linear_projection", "true")).linearProjection());
        assertEquals(4, UNetConfig.of(changed("unet", "_name_or_path", "'somewhere'")).levels());
        assertEquals(List.of(4, 4, 4, 4), UNetConfig.of(changed("unet", "num_attention_heads", "null")).heads());
        assertEquals(0.5, VaeConfig.of(changed("vae", "scaling_factor", "0.5")).scalingFactor());
        assertEquals(0.18215, VaeConfig.of(changed("vae", "scaling_factor", "absent")).scalingFactor());
    }

    @Test void refusesFilesThatAreNone(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("config.json");
        assertEquals(file + ": not found; a diffusers model folder has it", assertThrows(ModelFormatException.class, () -> ModelConfig.read(file)).getMessage());
        Files.writeString(file, "{\"a\": ");
        assertTrue(assertThrows(ModelFormatException.class, () -> ModelConfig.read(file)).getMessage().startsWith(file + ": not JSON: "));
        Files.writeString(file, "[1]");
        assertTrue(assertThrows(ModelFormatException.class, () -> ModelConfig.read(file)).getMessage().endsWith("must be a JSON object, got ARRAY"));
    }
}
