package dev.retrograd.unet.file;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.ModelFormatException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.function.Function;

/// What the shapes of an LDM checkpoint say about its networks, as diffusers' configurations.
///
/// Not in the shapes, and so what every SD 1.x and 2.x has: 32 groups, heads of width 64 in text encoders and in 2.x's UNet, 8 heads in 1.x's.
/// Source: CompVis/stable-diffusion `v1-inference.yaml`, Stability-AI/stablediffusion `v2-inference-v.yaml`.
final class LdmLayout {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int GROUPS = 32;
    private static final int HEADS_V1 = 8;
    private static final int HEAD_WIDTH = 64;
    private static final int MOST_BLOCKS = 1000;

    private final String source;
    private final SortedMap<String, Shape> shapes;

    /// A network's configuration, and how its tensors are called.
    record Network(ObjectNode config, LdmNames names) {
    }

    /// @param shapes of tensors by their name in the component
    LdmLayout(String source, SortedMap<String, Shape> shapes) {
        this.source = source;
        this.shapes = shapes;
    }

    private boolean has(String name) {
        return shapes.containsKey(name);
    }

    private int dim(String name, int axis) throws ModelFormatException {
        Shape shape = shapes.get(name);
        if (shape == null || shape.rank() <= axis || shape.dim(axis) < 1) {
            throw new ModelFormatException(source + ": tensor '…" + name + "' is required in a checkpoint of Stable Diffusion, got " + (shape == null ? "none" : "one of shape " + shape));
        }
        return shape.dim(axis);
    }

    /// How many of the names with an index in them follow one another from 0.
    private int count(Function<Integer, String> name) {
        int n = 0;
        while (n < MOST_BLOCKS && has(name.apply(n))) {
            n++;
        }
        return n;
    }

    private static ArrayNode integers(List<Integer> values) {
        ArrayNode list = JSON.arrayNode();
        values.forEach(list::add);
        return list;
    }

    private static ArrayNode texts(List<String> values) {
        ArrayNode list = JSON.arrayNode();
        values.forEach(list::add);
        return list;
    }

    /// @param sampleSize latent rows and columns that the model was trained at
    Network unet(int sampleSize) throws ModelFormatException {
        List<Integer> channels = new ArrayList<>();
        List<Boolean> attention = new ArrayList<>();
        int layers = 0;
        int inLevel = 0;
        for (int block = 1; block < MOST_BLOCKS; block++) {
            String at = "input_blocks." + block;
            boolean residual = has(at + ".0.in_layers.2.weight");
            if (residual && inLevel++ == 0) {
                channels.add(dim(at + ".0.in_layers.2.weight", 0));
                attention.add(has(at + ".1.norm.weight"));
            }
            if (!residual) {
                layers = Math.max(layers, inLevel);
                inLevel = 0;
                if (!has(at + ".0.op.weight")) {
                    break;
                }
            }
        }
        int firstAttention = attention.indexOf(true);
        if (firstAttention < 0) {
            throw new ModelFormatException(source + ": its UNet must have attention to the text, as Stable Diffusion's, got none");
        }
        String transformer = "input_blocks." + (1 + firstAttention * (layers + 1)) + ".1.";
        boolean linear = shapes.containsKey(transformer + "proj_in.weight") && shapes.get(transformer + "proj_in.weight").rank() == 2;
        ObjectNode c = JSON.objectNode().put("_class_name", "UNet2DConditionModel").put("act_fn", "silu");
        if (linear) {
            c.set("attention_head_dim", integers(channels.stream().map(w -> Math.max(1, w / HEAD_WIDTH)).toList()));
        } else {
            c.put("attention_head_dim", HEADS_V1);
        }
        c.set("block_out_channels", integers(channels));
        c.put("center_input_sample", false).put("cross_attention_dim", dim(transformer + "transformer_blocks.0.attn2.to_k.weight", 1));
        c.set("down_block_types", texts(attention.stream().map(a -> a ? "CrossAttnDownBlock2D" : "DownBlock2D").toList()));
        c.put("downsample_padding", 1).put("flip_sin_to_cos", true).put("freq_shift", 0).put("in_channels", dim("input_blocks.0.0.weight", 1)).put("layers_per_block", layers)
                .put("mid_block_scale_factor", 1).put("norm_eps", 1e-5).put("norm_num_groups", GROUPS).put("out_channels", dim("out.2.weight", 0)).put("sample_size", sampleSize);
        List<Boolean> inwards = new ArrayList<>(attention);
        Collections.reverse(inwards);
        c.set("up_block_types", texts(inwards.stream().map(a -> a ? "CrossAttnUpBlock2D" : "UpBlock2D").toList()));
        if (linear) {
            c.put("use_linear_projection", true);
        }
        return new Network(c, LdmNames.unet(layers, attention));
    }

    Network vae(int imageSize) throws ModelFormatException {
        dim("decoder.up.0.block.0.conv1.weight", 0);
        int levels = count(i -> "decoder.up." + i + ".block.0.conv1.weight");
        int layers = count(i -> "decoder.up.0.block." + i + ".conv1.weight") - 1;
        List<Integer> channels = new ArrayList<>();
        for (int level = 0; level < levels; level++) {
            channels.add(dim("decoder.up." + level + ".block.0.conv1.weight", 0));
        }
        ObjectNode c = JSON.objectNode().put("_class_name", "AutoencoderKL").put("act_fn", "silu");
        c.set("block_out_channels", integers(channels));
        c.set("down_block_types", texts(Collections.nCopies(levels, "DownEncoderBlock2D")));
        c.put("in_channels", dim("decoder.conv_out.weight", 0)).put("latent_channels", dim("decoder.conv_in.weight", 1)).put("layers_per_block", layers)
                .put("norm_num_groups", GROUPS).put("out_channels", dim("decoder.conv_out.weight", 0)).put("sample_size", imageSize);
        c.set("up_block_types", texts(Collections.nCopies(levels, "UpDecoderBlock2D")));
        return new Network(c, LdmNames.vae(levels, layers));
    }

    /// CLIP's text tower as transformers names it.
    ObjectNode clipText() throws ModelFormatException {
        int width = dim("text_model.embeddings.token_embedding.weight", 1);
        int layers = count(i -> "text_model.encoder.layers." + i + ".mlp.fc1.weight");
        return text(dim("text_model.embeddings.token_embedding.weight", 0), dim("text_model.embeddings.position_embedding.weight", 0), width, layers,
                dim("text_model.encoder.layers.0.mlp.fc1.weight", 0), "quick_gelu");
    }

    /// OpenCLIP's text tower without its last layer, which SD 2.x does not use.
    Network openClipText() throws ModelFormatException {
        int layers = count(i -> "transformer.resblocks." + i + ".mlp.c_fc.weight") - 1;
        return new Network(text(dim("token_embedding.weight", 0), dim("positional_embedding", 0), dim("token_embedding.weight", 1), layers,
                dim("transformer.resblocks.0.mlp.c_fc.weight", 0), "gelu"), LdmNames.openClip(layers));
    }

    private static ObjectNode text(int vocabulary, int positions, int width, int layers, int feedForward, String activation) {
        ObjectNode c = JSON.objectNode();
        c.set("architectures", texts(List.of("CLIPTextModel")));
        return c.put("attention_dropout", 0.0).put("bos_token_id", 0).put("dropout", 0.0).put("eos_token_id", 2).put("hidden_act", activation).put("hidden_size", width)
                .put("initializer_factor", 1.0).put("initializer_range", 0.02).put("intermediate_size", feedForward).put("layer_norm_eps", 1e-5)
                .put("max_position_embeddings", positions).put("model_type", "clip_text_model").put("num_attention_heads", Math.max(1, width / HEAD_WIDTH))
                .put("num_hidden_layers", layers).put("pad_token_id", 1).put("vocab_size", vocabulary);
    }

    /// The noise schedule of every SD 1.x and 2.x.
    static ObjectNode schedule(String prediction) {
        return JSON.objectNode().put("_class_name", "PNDMScheduler").put("beta_end", 0.012).put("beta_schedule", "scaled_linear").put("beta_start", 0.00085)
                .put("clip_sample", false).put("num_train_timesteps", 1000).put("prediction_type", prediction).put("set_alpha_to_one", false).put("skip_prk_steps", true)
                .put("steps_offset", 1);
    }
}
