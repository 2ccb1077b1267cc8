package dev.retrograd.unet.file;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Which module of an LDM checkpoint is which of diffusers': what is below a module has the same name in both.
///
/// Source: the module trees of CompVis/stable-diffusion `openaimodel.py`, `model.py` and of diffusers' `UNet2DConditionModel`, `AutoencoderKL`.
final class LdmNames {
    private static final Map<String, String> UNET_RESNET = Map.of("in_layers.0", "norm1", "in_layers.2", "conv1", "emb_layers.1", "time_emb_proj",
            "out_layers.0", "norm2", "out_layers.3", "conv2", "skip_connection", "conv_shortcut");
    private static final Map<String, String> VAE_RESNET = Map.of("norm1", "norm1", "conv1", "conv1", "norm2", "norm2", "conv2", "conv2", "nin_shortcut", "conv_shortcut");
    private static final Map<String, String> VAE_ATTENTION = Map.of("norm", "group_norm", "q", "to_q", "k", "to_k", "v", "to_v", "proj_out", "to_out.0");

    private final Map<String, String> diffusers = new HashMap<>();
    private final Map<String, String> ldm = new HashMap<>();

    private LdmNames() {
    }

    private void pair(String inLdm, String inDiffusers) {
        diffusers.put(inLdm, inDiffusers);
        ldm.put(inDiffusers, inLdm);
    }

    private void pairs(String inLdm, String inDiffusers, Map<String, String> below) {
        below.forEach((l, d) -> pair(inLdm + "." + l, inDiffusers + "." + d));
    }

    /// @param layers residual blocks of an encoder level
    /// @param attention whether each level has transformers, outermost first
    static LdmNames unet(int layers, List<Boolean> attention) {
        LdmNames n = new LdmNames();
        int levels = attention.size();
        n.pair("time_embed.0", "time_embedding.linear_1");
        n.pair("time_embed.2", "time_embedding.linear_2");
        n.pair("input_blocks.0.0", "conv_in");
        int block = 1;
        for (int level = 0; level < levels; level++) {
            String down = "down_blocks." + level;
            for (int i = 0; i < layers; i++, block++) {
                n.layer("input_blocks." + block, down, i, attention.get(level));
            }
            if (level < levels - 1) {
                n.pair("input_blocks." + block++ + ".0.op", down + ".downsamplers.0.conv");
            }
        }
        n.pairs("middle_block.0", "mid_block.resnets.0", UNET_RESNET);
        n.pair("middle_block.1", "mid_block.attentions.0");
        n.pairs("middle_block.2", "mid_block.resnets.1", UNET_RESNET);
        block = 0;
        for (int level = levels - 1; level >= 0; level--) {
            String up = "up_blocks." + (levels - 1 - level);
            for (int i = 0; i <= layers; i++, block++) {
                n.layer("output_blocks." + block, up, i, attention.get(level));
            }
            if (level > 0) {
                n.pair("output_blocks." + (block - 1) + (attention.get(level) ? ".2" : ".1") + ".conv", up + ".upsamplers.0.conv");
            }
        }
        n.pair("out.0", "conv_norm_out");
        n.pair("out.2", "conv_out");
        return n;
    }

    private void layer(String inLdm, String inDiffusers, int i, boolean attention) {
        pairs(inLdm + ".0", inDiffusers + ".resnets." + i, UNET_RESNET);
        if (attention) {
            pair(inLdm + ".1", inDiffusers + ".attentions." + i);
        }
    }

    /// @param layers residual blocks of an encoder level; the decoder's have one more
    static LdmNames vae(int levels, int layers) {
        LdmNames n = new LdmNames();
        n.pair("quant_conv", "quant_conv");
        n.pair("post_quant_conv", "post_quant_conv");
        for (String half : List.of("encoder", "decoder")) {
            n.pair(half + ".conv_in", half + ".conv_in");
            n.pair(half + ".conv_out", half + ".conv_out");
            n.pair(half + ".norm_out", half + ".conv_norm_out");
            String middle = half + ".mid_block";
            n.pairs(half + ".mid.block_1", middle + ".resnets.0", VAE_RESNET);
            n.pairs(half + ".mid.attn_1", middle + ".attentions.0", VAE_ATTENTION);
            // As diffusers called them before 0.18.
            Map.of("q", "query", "k", "key", "v", "value", "proj_out", "proj_attn").forEach((l, d) -> n.ldm.put(middle + ".attentions.0." + d, half + ".mid.attn_1." + l));
            n.pairs(half + ".mid.block_2", middle + ".resnets.1", VAE_RESNET);
        }
        for (int level = 0; level < levels; level++) {
            for (int i = 0; i < layers; i++) {
                n.pairs("encoder.down." + level + ".block." + i, "encoder.down_blocks." + level + ".resnets." + i, VAE_RESNET);
            }
            n.pair("encoder.down." + level + ".downsample.conv", "encoder.down_blocks." + level + ".downsamplers.0.conv");
            // The checkpoint counts the decoder's levels from the outermost, too.
            String up = "decoder.up_blocks." + (levels - 1 - level);
            for (int i = 0; i <= layers; i++) {
                n.pairs("decoder.up." + level + ".block." + i, up + ".resnets." + i, VAE_RESNET);
            }
            n.pair("decoder.up." + level + ".upsample.conv", up + ".upsamplers.0.conv");
        }
        return n;
    }

    /// OpenCLIP's text tower; the joint projections of queries, keys and values are not among these.
    ///
    /// @param layers that are used
    static LdmNames openClip(int layers) {
        LdmNames n = new LdmNames();
        n.pair("token_embedding", "text_model.embeddings.token_embedding");
        n.pair("ln_final", "text_model.final_layer_norm");
        Map<String, String> below = Map.of("ln_1", "layer_norm1", "attn.out_proj", "self_attn.out_proj", "ln_2", "layer_norm2", "mlp.c_fc", "mlp.fc1", "mlp.c_proj", "mlp.fc2");
        for (int i = 0; i < layers; i++) {
            n.pairs("transformer.resblocks." + i, "text_model.encoder.layers." + i, below);
        }
        return n;
    }

    /// The name of a tensor in diffusers.
    Optional<String> inDiffusers(String name) {
        return translated(diffusers, name);
    }

    /// The name of a tensor in an LDM checkpoint.
    Optional<String> inLdm(String name) {
        return translated(ldm, name);
    }

    private static Optional<String> translated(Map<String, String> modules, String name) {
        for (int dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
            String module = modules.get(name.substring(0, dot));
            if (module != null) {
                return Optional.of(module + name.substring(dot));
            }
        }
        return Optional.empty();
    }
}
