package dev.retrograd.rewards.clip;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/// Writes a Hugging Face folder of a random CLIP, small enough for numeric gradients: 6×6 images in four patches, 8 tokens, 5 features.
public final class TinyClip {
    static final int VOCABULARY = 55;
    static final String CONFIG = """
            {"model_type": "clip", "projection_dim": 5,
             "text_config": {"vocab_size": 55, "hidden_size": 6, "intermediate_size": 7, "num_hidden_layers": 2, "num_attention_heads": 2,
                             "max_position_embeddings": 8, "eos_token_id": 1},
             "vision_config": {"hidden_size": 4, "intermediate_size": 9, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 6, "patch_size": 3}}""";

    private final RandomValues random = new RandomValues(11);
    private final SafeTensorsWriter weights = new SafeTensorsWriter();

    private TinyClip() {
    }

    /// Writes the model's files into a folder that exists, and gives it back.
    public static Path write(Path folder) throws IOException {
        TinyClip clip = new TinyClip();
        clip.tower("text_model", 6, 7);
        clip.matrix("text_model.embeddings.token_embedding.weight", VOCABULARY, 6);
        clip.matrix("text_model.embeddings.position_embedding.weight", 8, 6);
        clip.norm("text_model.final_layer_norm", 6);
        clip.matrix("text_projection.weight", 5, 6);
        clip.tower("vision_model", 4, 9);
        clip.vector("vision_model.embeddings.class_embedding", 4);
        clip.weights.add("vision_model.embeddings.patch_embedding.weight", Shape.of(4, 3, 3, 3), clip.random.normal(4 * 27));
        clip.matrix("vision_model.embeddings.position_embedding.weight", 5, 4);
        clip.norm("vision_model.pre_layrnorm", 4);
        clip.norm("vision_model.post_layernorm", 4);
        clip.matrix("visual_projection.weight", 5, 4);
        clip.weights.add("logit_scale", Shape.of(), 4.5f);
        clip.weights.write(folder.resolve("model.safetensors"));
        Files.writeString(folder.resolve("config.json"), CONFIG);
        tokenizer(folder);
        return folder;
    }

    private void tower(String name, int width, int feedForward) {
        for (int i = 0; i < 2; i++) {
            String layer = name + ".encoder.layers." + i + ".";
            for (String projection : new String[] {"q_proj", "k_proj", "v_proj", "out_proj"}) {
                linear(layer + "self_attn." + projection, width, width);
            }
            norm(layer + "layer_norm1", width);
            norm(layer + "layer_norm2", width);
            linear(layer + "mlp.fc1", width, feedForward);
            linear(layer + "mlp.fc2", feedForward, width);
        }
    }

    private void linear(String name, int in, int out) {
        matrix(name + ".weight", out, in);
        vector(name + ".bias", out);
    }

    private void norm(String name, int channels) {
        weights.add(name + ".weight", Shape.of(channels), random.uniform(channels, 0.5, 1.5));
        vector(name + ".bias", channels);
    }

    private void matrix(String name, int rows, int columns) {
        weights.add(name, Shape.of(rows, columns), random.normal((long) rows * columns));
    }

    private void vector(String name, int length) {
        weights.add(name, Shape.of(length), random.normal(length));
    }

    /// Writes the files of a tokenizer of 55 tokens.
    public static void tokenizer(Path folder) throws IOException {
        Map<String, Integer> ids = new LinkedHashMap<>(Map.of("<s>", 0, "</s>", 1));
        for (char c = 'a'; c <= 'z'; c++) {
            ids.put(String.valueOf(c), ids.size());
            ids.put(c + "</w>", ids.size());
        }
        ids.put("ca", ids.size());
        Files.write(folder.resolve("vocab.json"), new ObjectMapper().writeValueAsBytes(ids));
        Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\nc a\n");
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"bos_token": "<s>", "eos_token": "</s>", "model_max_length": 8}""");
    }
}
