package dev.retrograd.rewards.clip;

import dev.retrograd.core.Unary;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import java.io.IOException;

/// The configuration of CLIP's image tower, from transformers' `vision_config`.
///
/// @param imageSize rows and columns of the images that it takes
/// @param patchSize rows and columns of a patch
/// @param activation of the feed-forward layers
public record ClipVisionConfig(int imageSize, int patchSize, int width, int feedForward, int layers, int heads, double eps, Unary activation) {

    public static ClipVisionConfig of(ModelConfig c) throws IOException {
        ClipVisionConfig config = new ClipVisionConfig(c.integer("image_size"), c.integer("patch_size"), c.integer("hidden_size"), c.integer("intermediate_size"),
                c.integer("num_hidden_layers"), c.integer("num_attention_heads"), c.number("layer_norm_eps", 1e-5), ClipTextConfig.activation(c));
        c.only("num_channels", "3");
        c.only("attention_dropout", "0.0");
        c.ignore("model_type", "projection_dim", "initializer_factor", "initializer_range");
        c.done();
        if (config.width % config.heads != 0) {
            throw c.refuse("'hidden_size' must divide by 'num_attention_heads', got " + config.width + " and " + config.heads);
        }
        if (config.patchSize > config.imageSize) {
            throw c.refuse("'patch_size' must be at most 'image_size' " + config.imageSize + ", got " + config.patchSize);
        }
        return config;
    }

    /// Patches along each side of an image; what is left over at the right and below is not seen.
    public int patchesPerSide() {
        return imageSize / patchSize;
    }

    /// Rows that the layers work on: one for the image as a whole, then one for each patch.
    public int tokens() {
        return 1 + patchesPerSide() * patchesPerSide();
    }
}
