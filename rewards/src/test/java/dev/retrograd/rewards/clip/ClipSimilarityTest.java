package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Memory;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClipSimilarityTest {
    private static final List<String> PROMPTS = List.of("cat", "a dog");
    private static final Shape IMAGES = Shape.of(2, 9, 7, 3);

    @TempDir Path folder;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
    }

    private static float[] pixels() {
        return new RandomValues(5).uniform(IMAGES.elements(), 0, 1);
    }

    private static float[] scores(Backend b, ClipSimilarity reward, float[] pixels, List<String> prompts) {
        try (Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            int batch = prompts.size();
            return b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES.with(0, batch), pixels)), prompts).value());
        }
    }

    @Test void isTheCosineOfTheFeatures() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity reward = ClipSimilarity.load(b, folder); ClipModel model = ClipModel.load(b, folder);
                Tape t = new Tape(b, Segment.Policy.STORE_ALL); ClipImageTransform transform = new ClipImageTransform(b, model.preprocessing())) {
            float[] image = b.toFloats(model.imageFeatures(transform.forward(t.constant(b.floats("pixels", IMAGES, pixels())))).value());
            float[] text = b.toFloats(model.textFeatures(t, PROMPTS).value());
            double[] expected = new double[2];
            for (int i = 0; i < 2; i++) {
                double dot = 0;
                double image2 = 0;
                double text2 = 0;
                for (int j = 5 * i; j < 5 * i + 5; j++) {
                    dot += image[j] * text[j];
                    image2 += image[j] * image[j];
                    text2 += text[j] * text[j];
                }
                expected[i] = dot / Math.sqrt(image2 * text2);
            }
            Close.elements("cosine", expected, Close.widened(scores(b, reward, pixels(), PROMPTS)), 1e-5, 0);
            assertEquals(4.5f, b.toFloats(model.logitScale().value())[0]);
        }
    }

    @Test void anImageIsScoredAsItIsAlone() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity reward = ClipSimilarity.load(b, folder)) {
            float[] both = scores(b, reward, pixels(), PROMPTS);
            float[] second = java.util.Arrays.copyOfRange(pixels(), pixels().length / 2, pixels().length);
            assertEquals(both[1], scores(b, reward, second, PROMPTS.subList(1, 2))[0], 1e-6);
            assertTrue(Math.abs(both[1] - scores(b, reward, second, PROMPTS.subList(0, 1))[0]) > 1e-4, "the prompt counts");
        }
    }

    @Test void promptsAreEncodedOnceAndFreedAtTheEnd() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            try (ClipSimilarity reward = ClipSimilarity.load(b, folder)) {
                long loaded = b.memory().liveBytes();
                reward.prepare(PROMPTS);
                long encoded = b.memory().liveBytes();
                assertEquals(2 * Memory.ALIGNMENT, encoded - loaded, "two vectors of 20 bytes, rounded up");
                long allocations = b.memory().allocations();
                reward.prepare(PROMPTS);
                assertEquals(allocations, b.memory().allocations());
                scores(b, reward, pixels(), PROMPTS);
                assertEquals(encoded, b.memory().liveBytes());
            }
            assertEquals(0, b.memory().liveBytes());
        }
    }

    /// The whole reward in float64: preprocessing of a rectangle, image tower, normalisation.
    private void gradientIsRight(Resampling how, float low, float high) throws IOException {
        double[] pixels = Close.widened(new RandomValues(6).uniform(IMAGES.elements(), low, high));
        double[] dy = {0.7, -1.3};
        try (ReferenceBackend b = new ReferenceBackend(); ClipSimilarity reward = ClipSimilarity.load(b, folder, how)) {
            double[][] got = new double[2][];
            for (Segment.Retention retention : Segment.Retention.values()) {
                try (Scope _ = b.memory().open("gradient"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                    Var in = t.input(upload(b, pixels));
                    Var score = t.segment1("reward", v -> reward.score(v[0], PROMPTS), in);
                    Tensor d = b.empty("dy", score.spec());
                    b.set(d, dy);
                    t.backward(score, d, gradients);
                    got[retention.ordinal()] = b.toDoubles(gradients.of(in).orElseThrow());
                    assertTrue(gradients.parameters().isEmpty(), "only the pixels get a gradient: the weights are frozen");
                }
            }
            assertArrayEquals(got[0], got[1], "stored and recomputed");
            double[] expected = CentralDifferences.gradient(x -> forward(b, reward, x), pixels, dy);
            Close.elements("gradient of the pixels", expected, got[0], 1e-7, 1e-6);
            assertTrue(java.util.Arrays.stream(expected).anyMatch(e -> Math.abs(e) > 1e-3), "there is a gradient");
        }
    }

    private static double[] forward(ReferenceBackend b, ClipSimilarity reward, double[] pixels) {
        try (Scope _ = b.memory().open("forward"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toDoubles(reward.score(t.constant(upload(b, pixels)), PROMPTS).value());
        }
    }

    private static Tensor upload(ReferenceBackend b, double[] pixels) {
        Tensor t = b.empty("pixels", new Spec(IMAGES, DType.F32));
        b.set(t, pixels);
        return t;
    }

    @Test void gradientIsRightThroughTransformersPreprocessing() throws IOException {
        gradientIsRight(ClipPreprocessing.TRANSFORMERS, 0.2f, 0.8f);
    }

    @Test void gradientIsRightWhereTheFilterOvershoots() throws IOException {
        gradientIsRight(new Resampling(Resampling.Filter.BICUBIC, false), 0, 1);
    }

    @Test void gradientIsRightThroughAlignPropsPreprocessing() throws IOException {
        gradientIsRight(ClipPreprocessing.ALIGNPROP, 0, 1);
    }

    /// Live bytes at the peak of a pass with gradients.
    private long peak(Backend b, Segment.Retention retention) throws IOException {
        try (ClipSimilarity reward = ClipSimilarity.load(b, folder)) {
            reward.prepare(PROMPTS);
            try (Scope _ = b.memory().open("pass"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                Var in = t.input(b.empty("pixels", new Spec(IMAGES, DType.F32)));
                b.fill(in.value(), 0.5);
                b.memory().resetPeak();
                Var score = t.segment1("reward", v -> reward.score(v[0], PROMPTS), in);
                t.backward(score.apply(SumTo.all()), gradients);
                return b.memory().peakBytes();
            }
        }
    }

    @Test void itsMemoryIsWhatThePlanSays() throws IOException {
        for (Segment.Retention retention : Segment.Retention.values()) {
            try (CpuBackend cpu = new CpuBackend(); PlanBackend plan = new PlanBackend("cpu", cpu.workspaceBytes())) {
                long planned = peak(plan, retention);
                assertEquals(planned, peak(cpu, retention), retention.name());
                assertTrue(planned > 0, "a pass takes memory");
            }
        }
    }

    @Test void refusesAnotherNumberOfPrompts() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipSimilarity reward = ClipSimilarity.load(b, folder); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var images = t.constant(b.floats("pixels", IMAGES, pixels()));
            assertEquals("clip: one prompt for each of 2 images is required, got 1",
                    assertThrows(IllegalArgumentException.class, () -> reward.score(images, List.of("cat"))).getMessage());
        }
    }

    @Test void refusesFoldersThatAreNoClipAndLeavesNothingBehind() throws IOException {
        refused(folder.resolve("absent"), "a CLIP model folder is required, but there is none");
        Files.writeString(folder.resolve("config.json"), TinyClip.CONFIG.replace("\"projection_dim\": 5", "\"projection_dim\": 6"));
        refused(folder, "tensor 'text_projection.weight' must be [6,6] after the model's config.json, got [5,6]");
        Files.writeString(folder.resolve("config.json"), TinyClip.CONFIG.replace("\"vocab_size\": 55", "\"vocab_size\": 54"));
        refused(folder, "the tokenizer's ids must be below vocab_size 54, got 54");
        Files.writeString(folder.resolve("config.json"), TinyClip.CONFIG.replace("\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"image", "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"image"));
        refused(folder, "16 tensors are not part of the model that config.json describes: vision_model.encoder.layers.1.layer_norm1.bias, vision_model.encoder.layers.1.layer_norm1.weight, "
                + "vision_model.encoder.layers.1.layer_norm2.bias, …");
        Files.delete(folder.resolve("model.safetensors"));
        refused(folder, "must have one of model.safetensors, pytorch_model.bin, model.safetensors.index.json, pytorch_model.bin.index.json");
    }

    private static void refused(Path folder, String message) {
        try (CpuBackend b = new CpuBackend()) {
            String got = assertThrows(ModelFormatException.class, () -> ClipModel.load(b, folder)).getMessage();
            assertTrue(got.endsWith(message), got);
            assertEquals(0, b.memory().liveBytes());
        }
    }
}
