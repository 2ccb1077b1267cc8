package dev.retrograd.unet.vae;

import dev.retrograd.unet.ModelConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/// The configuration of an autoencoder, from diffusers' `vae/config.json`.
///
/// @param imageChannels of the image, 3
/// @param channels of each resolution level, outermost first
/// @param layersPerBlock residual blocks of each encoder level; the decoder's have one more
/// @param scalingFactor what latents are multiplied with for the diffusion; 0.18215 in SD1.x, whose file leaves it out
public record VaeConfig(int imageChannels, int outChannels, int latentChannels, List<Integer> channels, int layersPerBlock, int groups, double scalingFactor) {
    private static final double SD_SCALING_FACTOR = 0.18215;

    public static VaeConfig of(ModelConfig c) throws IOException {
        int[] channels = c.integers("block_out_channels");
        blocks(c, "down_block_types", "DownEncoderBlock2D", channels.length);
        blocks(c, "up_block_types", "UpDecoderBlock2D", channels.length);
        c.requireGroups("norm_num_groups", channels);
        VaeConfig config = new VaeConfig(c.integer("in_channels"), c.integer("out_channels"), c.integer("latent_channels"),
                Arrays.stream(channels).boxed().toList(), c.integer("layers_per_block"), c.integer("norm_num_groups"), c.number("scaling_factor", SD_SCALING_FACTOR));
        c.only("act_fn", "\"silu\"");
        c.only("shift_factor", "null");
        c.only("latents_mean", "null");
        c.only("latents_std", "null");
        c.only("use_quant_conv", "true");
        c.only("use_post_quant_conv", "true");
        c.only("mid_block_add_attention", "true");
        c.ignore("sample_size", "force_upcast");
        c.done();
        return config;
    }

    private static void blocks(ModelConfig c, String key, String supported, int levels) throws IOException {
        String[] types = c.texts(key);
        for (String type : types) {
            if (!type.equals(supported)) {
                throw c.refuse("block type '" + type + "' is not supported, only '" + supported + "' is");
            }
        }
        if (types.length != levels) {
            throw c.refuse("'" + key + "' and 'block_out_channels' must be equally long, got " + types.length + " and " + levels);
        }
    }

    /// Image pixels per latent pixel, in both directions.
    public int downscale() {
        return 1 << channels.size() - 1;
    }
}
