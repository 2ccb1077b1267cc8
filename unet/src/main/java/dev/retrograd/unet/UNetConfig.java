package dev.retrograd.unet;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/// The configuration of a UNet, from diffusers' `unet/config.json`.
///
/// @param sampleSize latent rows and columns that the model was trained at
/// @param channels of each resolution level, outermost first
/// @param crossAttention whether each level has transformers; the decoder's levels mirror the encoder's
/// @param layersPerBlock residual blocks of each encoder level; the decoder's have one more
/// @param heads attention heads of each level (SD1.x configs call it `attention_head_dim`)
/// @param transformerLayers transformer blocks of each attention at each level
/// @param contextChannels width of the text embedding
/// @param linearProjection whether transformers project with linear layers (SD2.x) or 1×1 convolutions (SD1.x)
public record UNetConfig(int sampleSize, int inChannels, int outChannels, List<Integer> channels, List<Boolean> crossAttention, int layersPerBlock,
        List<Integer> heads, List<Integer> transformerLayers, int contextChannels, int groups, double eps, boolean flipSinToCos, double freqShift,
        boolean linearProjection) {

    private static final int LARGEST_SIZE = 2048;

    public static UNetConfig of(ModelConfig c) throws IOException {
        String[] down = c.texts("down_block_types");
        String[] up = c.texts("up_block_types");
        int[] channels = c.integers("block_out_channels");
        int levels = channels.length;
        if (down.length != levels || up.length != levels) {
            throw c.refuse("'down_block_types', 'up_block_types' and 'block_out_channels' must be equally long, got " + down.length + ", " + up.length + " and " + levels);
        }
        Boolean[] attention = new Boolean[levels];
        for (int i = 0; i < levels; i++) {
            attention[i] = blockType(c, down[i], "CrossAttnDownBlock2D", "DownBlock2D");
        }
        for (int i = 0; i < levels; i++) {
            if (blockType(c, up[i], "CrossAttnUpBlock2D", "UpBlock2D") != attention[levels - 1 - i]) {
                throw c.refuse("'up_block_types' must mirror 'down_block_types', got " + Arrays.toString(up) + " for " + Arrays.toString(down));
            }
        }
        // The SD1.x quirk: `attention_head_dim` is the number of heads unless `num_attention_heads` is there.
        int[] heads = c.has("num_attention_heads") ? c.integersPerBlock("num_attention_heads", levels, 8) : c.integersPerBlock("attention_head_dim", levels, 8);
        c.ignore("attention_head_dim", "num_attention_heads");
        for (int i = 0; i < levels; i++) {
            if (channels[i] % heads[i] != 0) {
                throw c.refuse("each of 'block_out_channels' must divide by its number of heads, got " + channels[i] + " and " + heads[i]);
            }
        }
        c.requireGroups("norm_num_groups", channels);
        int[] size = c.has("sample_size") ? new int[] {c.integer("sample_size")} : new int[] {64};
        UNetConfig config = new UNetConfig(size[0], c.integer("in_channels"), c.integer("out_channels"), boxed(channels), List.of(attention),
                c.integer("layers_per_block"), boxed(heads), boxed(c.integersPerBlock("transformer_layers_per_block", levels, 1)),
                c.integer("cross_attention_dim"), c.integer("norm_num_groups"), c.number("norm_eps", 1e-5), c.flag("flip_sin_to_cos", true),
                c.number("freq_shift", 0), c.flag("use_linear_projection", false));
        if (config.sampleSize > LARGEST_SIZE) {
            throw c.refuse("'sample_size' must be 1.." + LARGEST_SIZE + " latent pixels, got " + config.sampleSize);
        }
        unsupported(c);
        return config;
    }

    private static boolean blockType(ModelConfig c, String type, String with, String without) throws IOException {
        if (!type.equals(with) && !type.equals(without)) {
            throw c.refuse("block type '" + type + "' is not supported, only '" + with + "' and '" + without + "' are");
        }
        return type.equals(with);
    }

    private static void unsupported(ModelConfig c) throws IOException {
        c.only("act_fn", "\"silu\"");
        c.only("center_input_sample", "false");
        c.only("downsample_padding", "1");
        c.only("mid_block_scale_factor", "1");
        c.only("mid_block_type", "\"UNetMidBlock2DCrossAttn\"");
        c.only("only_cross_attention", "false");
        c.only("dual_cross_attention", "false");
        c.only("resnet_time_scale_shift", "\"default\"");
        c.only("resnet_skip_time_act", "false");
        c.only("resnet_out_scale_factor", "1.0");
        c.only("time_embedding_type", "\"positional\"");
        c.only("conv_in_kernel", "3");
        c.only("conv_out_kernel", "3");
        c.only("attention_type", "\"default\"");
        c.only("class_embeddings_concat", "false");
        for (String absent : List.of("class_embed_type", "num_class_embeds", "addition_embed_type", "addition_time_embed_dim", "encoder_hid_dim",
                "encoder_hid_dim_type", "time_embedding_act_fn", "timestep_post_act", "time_cond_proj_dim", "projection_class_embeddings_input_dim",
                "mid_block_only_cross_attention", "cross_attention_norm", "addition_embed_type_num_heads", "time_embedding_dim", "reverse_transformer_layers_per_block")) {
            c.only(absent, absent.equals("addition_embed_type_num_heads") ? "64" : "null");
        }
        // Where upstream computes in half precision; every statistic and softmax is float32 or better here. Dropout is inactive outside training.
        c.ignore("upcast_attention", "dropout");
        c.done();
    }

    private static List<Integer> boxed(int[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    public int levels() {
        return channels.size();
    }

    /// Width of the timestep embedding.
    public int timeChannels() {
        return channels.getFirst() * 4;
    }
}
