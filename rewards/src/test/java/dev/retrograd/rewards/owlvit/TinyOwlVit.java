package dev.retrograd.rewards.owlvit;

import dev.retrograd.core.Shape;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.rewards.clip.TinyClip;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Writes a Hugging Face folder of a random OWL-ViT, small enough for numeric gradients: 9×9 images in nine patches.
public final class TinyOwlVit {
    static final String CONFIG = """
            {"model_type": "owlvit", "projection_dim": 6,
             "text_config": {"vocab_size": 55, "hidden_size": 6, "intermediate_size": 7, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8},
             "vision_config": {"hidden_size": 4, "intermediate_size": 9, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 9, "patch_size": 3}}""";

    private final RandomValues random = new RandomValues(21);
    private final SafeTensorsWriter weights = new SafeTensorsWriter();

    public static Path write(Path folder) throws IOException {
        TinyOwlVit owl = new TinyOwlVit();
        owl.layer("owlvit.text_model.encoder.layers.0.", 6, 7);
        owl.tensor("owlvit.text_model.embeddings.token_embedding.weight", 55, 6);
        owl.tensor("owlvit.text_model.embeddings.position_embedding.weight", 8, 6);
        owl.norm("owlvit.text_model.final_layer_norm", 6);
        owl.tensor("owlvit.text_projection.weight", 6, 6);
        owl.layer("owlvit.vision_model.encoder.layers.0.", 4, 9);
        owl.tensor("owlvit.vision_model.embeddings.class_embedding", 4);
        owl.tensor("owlvit.vision_model.embeddings.patch_embedding.weight", 4, 3, 3, 3);
        owl.tensor("owlvit.vision_model.embeddings.position_embedding.weight", 10, 4);
        owl.norm("owlvit.vision_model.pre_layernorm", 4);
        owl.norm("owlvit.vision_model.post_layernorm", 4);
        owl.tensor("owlvit.visual_projection.weight", 6, 4);
        owl.tensor("owlvit.logit_scale");
        owl.norm("layer_norm", 4);
        owl.linear("class_head.dense0", 4, 6);
        owl.linear("class_head.logit_shift", 4, 1);
        owl.linear("class_head.logit_scale", 4, 1);
        owl.linear("box_head.dense0", 4, 4);
        owl.linear("box_head.dense1", 4, 4);
        owl.linear("box_head.dense2", 4, 4);
        owl.weights.write(folder.resolve("model.safetensors"));
        Files.writeString(folder.resolve("config.json"), CONFIG);
        TinyClip.tokenizer(folder);
        return folder;
    }

    private void layer(String layer, int width, int feedForward) {
        for (String projection : new String[] {"q_proj", "k_proj", "v_proj", "out_proj"}) {
            linear(layer + "self_attn." + projection, width, width);
        }
        norm(layer + "layer_norm1", width);
        norm(layer + "layer_norm2", width);
        linear(layer + "mlp.fc1", width, feedForward);
        linear(layer + "mlp.fc2", feedForward, width);
    }

    private void linear(String name, int in, int out) {
        tensor(name + ".weight", out, in);
        tensor(name + ".bias", out);
    }

    private void norm(String name, int channels) {
        weights.add(name + ".weight", Shape.of(channels), random.uniform(channels, 0.5, 1.5));
        tensor(name + ".bias", channels);
    }

    private void tensor(String name, int... dims) {
        Shape shape = Shape.of(dims);
        weights.add(name, shape, random.normal(shape.elements()));
    }
}
