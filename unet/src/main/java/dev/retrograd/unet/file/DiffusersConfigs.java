package dev.retrograd.unet.file;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collections;
import java.util.List;

/// The configuration files of Stable Diffusion 1.x and 2.x as diffusers writes them, for networks of any width.
///
/// Source: CompVis/stable-diffusion `v1-inference.yaml`, Stability-AI/stablediffusion `v2-inference-v.yaml`, and their diffusers folders.
public final class DiffusersConfigs {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int GROUPS = 32;
    private static final int HEADS_V1 = 8;
    private static final int HEAD_WIDTH = 64;
    private static final String VERSION = "0.18.0";

    private DiffusersConfigs() {
    }

    /// A UNet.
    ///
    /// @param channels of each level, outermost first
    /// @param attention whether each level has transformers
    /// @param context width of the text embedding
    /// @param linear whether transformers project with linear layers, as in 2.x, which also has heads of width 64 where 1.x has 8 heads
    /// @param sampleSize latent rows and columns that the model is for
    public static ObjectNode unet(List<Integer> channels, List<Boolean> attention, int layers, int context, int inChannels, int outChannels, boolean linear, int sampleSize) {
        ObjectNode c = of("UNet2DConditionModel").put("act_fn", "silu");
        if (linear) {
            c.set("attention_head_dim", integers(channels.stream().map(w -> Math.max(1, w / HEAD_WIDTH)).toList()));
        } else {
            c.put("attention_head_dim", HEADS_V1);
        }
        c.set("block_out_channels", integers(channels));
        c.put("center_input_sample", false).put("cross_attention_dim", context);
        c.set("down_block_types", texts(attention.stream().map(a -> a ? "CrossAttnDownBlock2D" : "DownBlock2D").toList()));
        c.put("downsample_padding", 1).put("flip_sin_to_cos", true).put("freq_shift", 0).put("in_channels", inChannels).put("layers_per_block", layers)
                .put("mid_block_scale_factor", 1).put("norm_eps", 1e-5).put("norm_num_groups", GROUPS).put("out_channels", outChannels).put("sample_size", sampleSize);
        c.set("up_block_types", texts(attention.reversed().stream().map(a -> a ? "CrossAttnUpBlock2D" : "UpBlock2D").toList()));
        if (linear) {
            c.put("use_linear_projection", true);
        }
        return c;
    }

    /// An autoencoder.
    public static ObjectNode vae(List<Integer> channels, int layers, int imageChannels, int latentChannels, int imageSize) {
        ObjectNode c = of("AutoencoderKL").put("act_fn", "silu");
        c.set("block_out_channels", integers(channels));
        c.set("down_block_types", texts(Collections.nCopies(channels.size(), "DownEncoderBlock2D")));
        c.put("in_channels", imageChannels).put("latent_channels", latentChannels).put("layers_per_block", layers).put("norm_num_groups", GROUPS)
                .put("out_channels", imageChannels).put("sample_size", imageSize);
        c.set("up_block_types", texts(Collections.nCopies(channels.size(), "UpDecoderBlock2D")));
        return c;
    }

    /// A CLIP text encoder with heads of width 64.
    ///
    /// @param openClip whether it is 2.x's, whose activation is the exact GELU
    public static ObjectNode text(int vocabulary, int positions, int width, int layers, int feedForward, boolean openClip) {
        ObjectNode c = JSON.objectNode();
        c.set("architectures", texts(List.of("CLIPTextModel")));
        return c.put("attention_dropout", 0.0).put("bos_token_id", 0).put("dropout", 0.0).put("eos_token_id", 2).put("hidden_act", openClip ? "gelu" : "quick_gelu")
                .put("hidden_size", width).put("initializer_factor", 1.0).put("initializer_range", 0.02).put("intermediate_size", feedForward).put("layer_norm_eps", 1e-5)
                .put("max_position_embeddings", positions).put("model_type", "clip_text_model").put("num_attention_heads", Math.max(1, width / HEAD_WIDTH))
                .put("num_hidden_layers", layers).put("pad_token_id", 1).put("projection_dim", openClip ? 512 : 768).put("torch_dtype", "float32").put("vocab_size", vocabulary);
    }

    /// The noise schedule of every SD 1.x and 2.x.
    ///
    /// @param prediction `epsilon` or `v_prediction`
    public static ObjectNode schedule(String prediction) {
        return of("PNDMScheduler").put("beta_end", 0.012).put("beta_schedule", "scaled_linear").put("beta_start", 0.00085).put("clip_sample", false)
                .put("num_train_timesteps", 1000).put("prediction_type", prediction).put("set_alpha_to_one", false).put("skip_prk_steps", true).put("steps_offset", 1)
                .putNull("trained_betas");
    }

    /// The `model_index.json` of a pipeline without safety checker.
    public static ObjectNode index() {
        ObjectNode c = of("StableDiffusionPipeline");
        c.set("feature_extractor", JSON.arrayNode().addNull().addNull());
        c.put("requires_safety_checker", false);
        c.set("safety_checker", JSON.arrayNode().addNull().addNull());
        c.set("scheduler", texts(List.of("diffusers", "PNDMScheduler")));
        c.set("text_encoder", texts(List.of("transformers", "CLIPTextModel")));
        c.set("tokenizer", texts(List.of("transformers", "CLIPTokenizer")));
        c.set("unet", texts(List.of("diffusers", "UNet2DConditionModel")));
        c.set("vae", texts(List.of("diffusers", "AutoencoderKL")));
        return c;
    }

    private static ObjectNode of(String type) {
        return JSON.objectNode().put("_class_name", type).put("_diffusers_version", VERSION);
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
}
