package dev.retrograd.rewards.clip;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import java.io.IOException;
import java.nio.file.Path;

/// The configuration of a CLIP model with both towers, from transformers' `config.json`. Parity: transformers `CLIPConfig`.
///
/// Settings that a file leaves out have transformers' defaults. Old files carry `text_config_dict` and `vision_config_dict` as well: those,
/// completed by the defaults, then overrule `text_config` and `vision_config`, as upstream.
///
/// @param projection length of the feature vectors that images and texts share
public record ClipConfig(ClipTextConfig text, ClipVisionConfig vision, int projection) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int DEFAULT_PROJECTION = 512;

    private static final String TEXT_DEFAULTS = """
            {"vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8,
             "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "eos_token_id": 49407}""";
    private static final String VISION_DEFAULTS = """
            {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "num_channels": 3,
             "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}""";

    private static final String OWL_TEXT_DEFAULTS = TEXT_DEFAULTS.replace("\"max_position_embeddings\": 77", "\"max_position_embeddings\": 16");
    private static final String OWL_VISION_DEFAULTS = VISION_DEFAULTS.replace("\"image_size\": 224", "\"image_size\": 768");

    /// What transformers writes into any model's configuration: text generation, labels and bookkeeping, which no encoder reads.
    private static final String[] BOOKKEEPING = {
        "add_cross_attention", "architectures", "attn_implementation", "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "chunk_size_feed_forward",
        "cross_attention_hidden_size", "decoder_start_token_id", "diversity_penalty", "do_sample", "dropout", "dtype", "early_stopping", "encoder_no_repeat_ngram_size",
        "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "id2label", "initializer_factor",
        "initializer_range", "is_decoder", "is_encoder_decoder", "label2id", "length_penalty", "logit_scale_init_value", "max_length", "min_length",
        "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores",
        "pad_token_id", "prefix", "problem_type", "pruned_heads", "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate",
        "sep_token_id", "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings",
        "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript", "transformers_version", "typical_p", "use_bfloat16"};

    /// @param file a CLIP model's `config.json`
    /// @throws dev.retrograd.core.io.ModelFormatException if it is missing, damaged, or describes what is not supported; the message names the setting
    public static ClipConfig read(Path file) throws IOException {
        return read(file, "clip", TEXT_DEFAULTS, VISION_DEFAULTS);
    }

    /// As {@link #read}, of an OWL-ViT, whose two towers are CLIP's.
    ///
    /// Parity: transformers `OwlViTConfig`.
    public static ClipConfig readOwlVit(Path file) throws IOException {
        return read(file, "owlvit", OWL_TEXT_DEFAULTS, OWL_VISION_DEFAULTS);
    }

    private static ClipConfig read(Path file, String type, String textDefaults, String visionDefaults) throws IOException {
        ModelConfig c = ModelConfig.read(file);
        if (!c.text("model_type", "nothing").equals(type)) {
            throw c.refuse("'model_type' must be " + type + ", got " + c.text("model_type", "nothing"));
        }
        ModelConfig text = tower(c, "text_config", textDefaults);
        ModelConfig vision = tower(c, "vision_config", visionDefaults);
        vision.ignore("eos_token_id");
        int projection = c.has("projection_dim") ? c.integer("projection_dim") : DEFAULT_PROJECTION;
        c.ignore(BOOKKEEPING);
        c.done();
        return new ClipConfig(ClipTextConfig.of(text), ClipVisionConfig.of(vision), projection);
    }

    private static ModelConfig tower(ModelConfig c, String key, String defaults) throws IOException {
        ModelConfig missing = ModelConfig.of("defaults", JSON.readTree(defaults));
        ModelConfig given = c.object(key);
        ModelConfig tower = c.has(key + "_dict") ? c.object(key + "_dict").over(missing).over(given) : given.over(missing);
        c.ignore(key + "_dict");
        tower.ignore(BOOKKEEPING);
        return tower;
    }
}
