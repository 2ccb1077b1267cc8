package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.testing.RandomValues;
import dev.retrograd.core.testing.TorchCheckpoint;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.RewardContract;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Upstream's scores and gradients are checked by `verify` on the reference folder tiny-rewards, too large for the repository.
class HumanPreferenceScoreTest extends RewardContract {
    private static final String CONFIG = """
            {"model_cfg": {"embed_dim": 5, "quick_gelu": true,
                           "vision_cfg": {"image_size": 6, "layers": 2, "width": 4, "head_width": 2, "patch_size": 3, "mlp_ratio": 2.25},
                           "text_cfg": {"context_length": 8, "vocab_size": 55, "width": 6, "heads": 2, "layers": 2, "mlp_ratio": 1.17}},
             "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}}""";
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("text_model.embeddings.token_embedding.weight", "token_embedding.weight"), Map.entry("text_model.embeddings.position_embedding.weight", "positional_embedding"),
            Map.entry("vision_model.embeddings.class_embedding", "visual.class_embedding"), Map.entry("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
            Map.entry("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"), Map.entry("text_projection.weight", "text_projection"),
            Map.entry("visual_projection.weight", "visual.proj"), Map.entry("logit_scale", "logit_scale"));

    @TempDir Path clip;
    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(clip);
        Files.writeString(clip.resolve("config.json"), TinyClip.CONFIG.replace("\"eos_token_id\": 1", "\"eos_token_id\": 2"));
        Files.writeString(folder.resolve("open_clip_config.json"), CONFIG);
        try (SafeTensors model = SafeTensors.open(clip.resolve("model.safetensors"))) {
            renamed(model).write(folder.resolve("HPS_v2_compressed.safetensors"));
        }
    }

    /// The weights of a transformers file by open_clip's names.
    private static SafeTensorsWriter renamed(SafeTensors model) throws IOException {
        SafeTensorsWriter out = new SafeTensorsWriter();
        for (String name : model.names()) {
            Shape shape = model.spec(name).shape();
            if (name.contains("k_proj") || name.contains("v_proj")) {
                continue;
            }
            if (name.contains("q_proj")) {
                int width = shape.dim(0);
                float[] fused = new float[Math.toIntExact(3 * shape.elements())];
                for (int i = 0; i < 3; i++) {
                    float[] third = model.floats(name.replace("q_proj", "qkv".charAt(i) + "_proj"));
                    System.arraycopy(third, 0, fused, i * third.length, third.length);
                }
                out.add(module(name).replace("self_attn.q_proj.", "attn.in_proj_"), shape.with(0, 3 * width), fused);
            } else if (name.endsWith("_projection.weight")) {
                out.add(NAMES.get(name), Shape.of(shape.dim(1), shape.dim(0)), transposed(model.floats(name), shape.dim(0), shape.dim(1)));
            } else {
                out.add(NAMES.getOrDefault(name, module(name)), shape, model.floats(name));
            }
        }
        return out;
    }

    private static float[] transposed(float[] values, int rows, int columns) {
        float[] t = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            t[i % columns * rows + i / columns] = values[i];
        }
        return t;
    }

    private static String module(String name) {
        return name.replace("text_model.final_layer_norm", "ln_final").replace("vision_model.pre_layrnorm", "visual.ln_pre").replace("vision_model.post_layernorm", "visual.ln_post")
                .replace("text_model.encoder.layers", "transformer.resblocks").replace("vision_model.encoder.layers", "visual.transformer.resblocks")
                .replace("layer_norm", "ln_").replace("self_attn.out_proj", "attn.out_proj").replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj");
    }

    @Override protected DifferentiableReward load(Backend b) throws IOException {
        return HumanPreferenceScore.load(b, folder, Optional.of(ClipTokenizer.load(clip)), ClipPreprocessing.ALIGNPROP);
    }

    @Test void featuresAreThoseOfTheSameModelByTransformersNames() throws IOException {
        int[][] ids = {{0, 9, 12, 54, 0, 0, 0, 0}, {0, 53, 1, 3, 0, 0, 0, 0}};
        float[] pixels = new RandomValues(5).uniform(IMAGES.elements(), 0, 1);
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = load(b); ClipModel other = ClipModel.load(b, clip); Scope _ = b.memory().open("features");
                Tape t = new Tape(b, Segment.Policy.STORE_ALL); ClipImageTransform transform = new ClipImageTransform(b, ClipPreprocessing.of(6, ClipPreprocessing.ALIGNPROP))) {
            ClipModel model = ((HumanPreferenceScore) reward).model();
            assertArrayEquals(b.toFloats(other.textFeatures(t, ids).value()), b.toFloats(model.textFeatures(t, ids).value()));
            Var image = transform.forward(t.constant(b.floats("pixels", IMAGES, pixels)));
            assertArrayEquals(b.toFloats(other.imageFeatures(image).value()), b.toFloats(model.imageFeatures(image).value()));
            float[] scores = b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, pixels)), prompts()).value());
            assertTrue(Math.abs(scores[0]) <= 1 && Math.abs(scores[1]) <= 1, "cosines without logit scale");
            assertEquals("hps", reward.name());
        }
    }

    private float[] scores(CpuBackend b, Path path) throws IOException {
        try (DifferentiableReward reward = HumanPreferenceScore.load(b, path, Optional.of(ClipTokenizer.load(clip)), ClipPreprocessing.ALIGNPROP);
                Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, new RandomValues(5).uniform(IMAGES.elements(), 0, 1))), prompts()).value());
        }
    }

    /// As upstream publishes it: a PyTorch checkpoint with a `state_dict`, found in a folder or named itself.
    @Test void readsPyTorchCheckpoints() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            float[] expected = scores(b, folder);
            try (SafeTensors tensors = SafeTensors.open(folder.resolve("HPS_v2_compressed.safetensors"))) {
                TorchCheckpoint.write(tensors, folder.resolve("HPS_v2_compressed.pt"));
            }
            Files.delete(folder.resolve("HPS_v2_compressed.safetensors"));
            assertArrayEquals(expected, scores(b, folder));
            assertArrayEquals(expected, scores(b, folder.resolve("HPS_v2_compressed.pt")));
        }
    }

    @Test void readsTheSameModelFromATransformersFolder() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            assertArrayEquals(scores(b, folder), scores(b, clip));
        }
    }

    private void refused(String message) {
        try (CpuBackend b = new CpuBackend()) {
            String got = assertThrows(ModelFormatException.class, () -> load(b)).getMessage();
            assertTrue(got.endsWith(message), got);
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void refusesOtherModelsAndLeavesNothingBehind() throws IOException {
        Files.writeString(folder.resolve("open_clip_config.json"), CONFIG.replace("\"layers\": 2, \"width\": 4", "\"layers\": 1, \"width\": 4"));
        refused("16 tensors are not part of the model that config.json describes: vision_model.encoder.layers.1.layer_norm1.bias, "
                + "vision_model.encoder.layers.1.layer_norm1.weight, vision_model.encoder.layers.1.layer_norm2.bias, …");
        Files.writeString(folder.resolve("open_clip_config.json"), CONFIG.replace("\"head_width\": 2", "\"timm_model_name\": \"x\""));
        refused("'width' must divide by 'head_width', got 4 and 64");
        Files.writeString(folder.resolve("open_clip_config.json"), CONFIG.replace("\"patch_size\"", "\"pool_type\": \"tok\", \"patch_size\""));
        refused("not supported: 'pool_type' \"tok\"");
    }

    /// Without a configuration it must be a ViT-H/14, whose sizes this is not.
    @Test void refusesAnotherArchitectureWithoutConfiguration() throws IOException {
        Files.delete(folder.resolve("open_clip_config.json"));
        refused("tensor 'text_model.embeddings.token_embedding.weight' must be [49408,1024] after the model's config.json, got [55,6]");
    }
}
