package dev.retrograd.trainer.pretrain;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.vae.VaeConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/// The configuration files of the miniature model: the topology of Stable Diffusion 1.5 with few channels.
final class Configs {
    private static final ObjectMapper JSON = new ObjectMapper();

    static final String MODEL_INDEX = """
            {
              "_class_name": "StableDiffusionPipeline",
              "_diffusers_version": "0.6.0",
              "feature_extractor": [null, null],
              "requires_safety_checker": false,
              "safety_checker": [null, null],
              "scheduler": ["diffusers", "PNDMScheduler"],
              "text_encoder": ["transformers", "CLIPTextModel"],
              "tokenizer": ["transformers", "CLIPTokenizer"],
              "unet": ["diffusers", "UNet2DConditionModel"],
              "vae": ["diffusers", "AutoencoderKL"]
            }
            """;

    static final String SCHEDULER = """
            {
              "_class_name": "PNDMScheduler",
              "_diffusers_version": "0.6.0",
              "beta_end": 0.012,
              "beta_schedule": "scaled_linear",
              "beta_start": 0.00085,
              "num_train_timesteps": 1000,
              "set_alpha_to_one": false,
              "skip_prk_steps": true,
              "steps_offset": 1,
              "trained_betas": null,
              "clip_sample": false
            }
            """;

    static final String UNET = """
            {
              "_class_name": "UNet2DConditionModel",
              "_diffusers_version": "0.6.0",
              "act_fn": "silu",
              "attention_head_dim": 4,
              "block_out_channels": [64, 64, 32, 32],
              "center_input_sample": false,
              "cross_attention_dim": 64,
              "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
              "downsample_padding": 1,
              "flip_sin_to_cos": true,
              "freq_shift": 0,
              "in_channels": 4,
              "layers_per_block": 1,
              "mid_block_scale_factor": 1,
              "norm_eps": 1e-05,
              "norm_num_groups": 8,
              "out_channels": 4,
              "sample_size": 8,
              "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
            }
            """;

    static final String PREPROCESSOR = """
            {
              "crop_size": 64,
              "do_center_crop": true,
              "do_normalize": true,
              "do_resize": true,
              "feature_extractor_type": "CLIPFeatureExtractor",
              "image_mean": [0.5, 0.5, 0.5],
              "image_std": [0.5, 0.5, 0.5],
              "resample": 3,
              "size": 64
            }
            """;

    private static final String VAE = """
            {
              "_class_name": "AutoencoderKL",
              "_diffusers_version": "0.6.0",
              "act_fn": "silu",
              "block_out_channels": [16, 16, 48, 80],
              "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
              "in_channels": 3,
              "latent_channels": 4,
              "layers_per_block": 1,
              "norm_num_groups": 4,
              "out_channels": 3,
              "sample_size": 64,
              "scaling_factor": %s,
              "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
            }
            """;

    private static final String TEXT = """
            {
              "architectures": ["CLIPTextModel"],
              "attention_dropout": 0.0,
              "bos_token_id": %1$d,
              "dropout": 0.0,
              "eos_token_id": %2$d,
              "hidden_act": "quick_gelu",
              "hidden_size": 64,
              "initializer_factor": 1.0,
              "initializer_range": 0.02,
              "intermediate_size": 192,
              "layer_norm_eps": 1e-05,
              "max_position_embeddings": %3$d,
              "model_type": "clip_text_model",
              "num_attention_heads": 4,
              "num_hidden_layers": 2,
              "pad_token_id": %2$d,
              "projection_dim": 64,
              "torch_dtype": "float16",
              "transformers_version": "4.21.0",
              "vocab_size": %4$d
            }
            """;

    private static final String VISION = """
            {
              "attention_dropout": 0.0,
              "hidden_act": "quick_gelu",
              "hidden_size": 64,
              "image_size": 64,
              "initializer_factor": 1.0,
              "initializer_range": 0.02,
              "intermediate_size": 192,
              "layer_norm_eps": 1e-05,
              "model_type": "clip_vision_model",
              "num_attention_heads": 4,
              "num_channels": 3,
              "num_hidden_layers": 3,
              "patch_size": 8,
              "projection_dim": 64
            }
            """;

    /// Length of the feature vectors of the small CLIP.
    static final int PROJECTION = 64;

    private Configs() {
    }

    static String vaeJson(double scalingFactor) {
        return VAE.formatted(String.format(Locale.ROOT, "%.5f", scalingFactor));
    }

    static VaeConfig vae(double scalingFactor) throws IOException {
        return VaeConfig.of(parsed("vae", vaeJson(scalingFactor)));
    }

    static UNetConfig unet() throws IOException {
        return UNetConfig.of(parsed("unet", UNET));
    }

    static String textJson(WorldTokenizer tokenizer) {
        return TEXT.formatted(tokenizer.beginId(), tokenizer.endId(), WorldTokenizer.MAX_LENGTH, tokenizer.size());
    }

    static ClipTextConfig text(WorldTokenizer tokenizer) throws IOException {
        return ClipTextConfig.of(parsed("text encoder", textJson(tokenizer)));
    }

    static ModelConfig vision() throws IOException {
        return parsed("vision encoder", VISION);
    }

    static String clipJson(WorldTokenizer tokenizer) {
        return """
                {
                "architectures": ["CLIPModel"],
                "model_type": "clip",
                "projection_dim": %d,
                "text_config": %s,
                "vision_config": %s
                }
                """.formatted(PROJECTION, textJson(tokenizer).strip(), VISION.strip());
    }

    private static ModelConfig parsed(String where, String json) throws IOException {
        return ModelConfig.of(where, JSON.readTree(json));
    }

    /// Writes a text file, and its folder if there is none.
    static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        AtomicFile.writeString(file, text);
    }
}
