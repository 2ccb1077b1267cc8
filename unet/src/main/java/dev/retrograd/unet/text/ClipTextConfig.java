package dev.retrograd.unet.text;

import dev.retrograd.core.Unary;
import dev.retrograd.unet.ModelConfig;
import java.io.IOException;

/// The configuration of a CLIP text encoder, from transformers' `text_encoder/config.json`.
///
/// @param positions longest sequence of tokens
/// @param activation of the feed-forward layers
/// @param endToken id at whose first place the pooled output is read; 2 means "the largest id", as transformers has it for old files
public record ClipTextConfig(int vocabulary, int width, int feedForward, int layers, int heads, int positions, double eps, Unary activation, int endToken) {
    /// The end id of files written before transformers knew the real one.
    static final int LEGACY_END_TOKEN = 2;

    public static ClipTextConfig of(ModelConfig c) throws IOException {
        ClipTextConfig config = new ClipTextConfig(c.integer("vocab_size"), c.integer("hidden_size"), c.integer("intermediate_size"), c.integer("num_hidden_layers"),
                c.integer("num_attention_heads"), c.has("max_position_embeddings") ? c.integer("max_position_embeddings") : 77, c.number("layer_norm_eps", 1e-5),
                activation(c), c.integer("eos_token_id", LEGACY_END_TOKEN));
        c.only("attention_dropout", "0.0");
        c.only("dropout", "0.0");
        c.ignore("architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "initializer_factor", "initializer_range", "projection_dim",
                "bos_token_id", "pad_token_id", "max_position_embeddings", "return_dict");
        c.done();
        if (config.width % config.heads != 0) {
            throw c.refuse("'hidden_size' must divide by 'num_attention_heads', got " + config.width + " and " + config.heads);
        }
        return config;
    }

    /// What `hidden_act` names.
    public static Unary activation(ModelConfig c) throws IOException {
        String name = c.text("hidden_act", "quick_gelu");
        return switch (name) {
            case "quick_gelu" -> Unary.QUICK_GELU;
            case "gelu" -> Unary.GELU;
            default -> throw c.refuse("'hidden_act' must be quick_gelu or gelu, got " + name);
        };
    }
}
