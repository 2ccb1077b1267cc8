package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.testing.Close;
import dev.retrograd.unet.Layout;
import dev.retrograd.unet.StateDict;
import dev.retrograd.unet.vae.Pixels;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against transformers and AlignProp's aesthetic loss function; where the tensors come from is in the resources' README.
class ClipVisionEncoderTest {
    private static final double LIMIT = 5e-5;
    private static final double GRADIENT_LIMIT = 2e-4;

    @TempDir Path folder;

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = ClipVisionEncoderTest.class.getResourceAsStream(name)) {
            return in.readAllBytes();
        }
    }

    private void agreesWithUpstream(Resampling how, Segment.Retention retention) throws IOException {
        ClipConfig config = ClipConfig.read(Files.write(folder.resolve("config.json"), resource("config.json")));
        Map<String, float[]> seen = new HashMap<>();
        try (SafeTensors model = SafeTensors.of("model.safetensors", resource("model.safetensors")); SafeTensors reference = SafeTensors.of("reference.safetensors", resource("reference.safetensors"));
                CpuBackend b = new CpuBackend(); StateDict weights = new StateDict("model.safetensors", model, b)) {
            ClipVisionEncoder encoder = new ClipVisionEncoder(config.vision(), config.projection(), weights);
            long modelBytes = b.memory().liveBytes();
            try (Scope _ = b.memory().open("test"); Tape t = new Tape(b, _ -> retention, (name, v) -> seen.put(name, b.toFloats(v))); Gradients gradients = new Gradients(b);
                    ClipImageTransform transform = new ClipImageTransform(b, ClipPreprocessing.of(config.vision().imageSize(), how))) {
                Tensor head = b.floats("head", Shape.of(1, 768), reference.floats("head.weight"));
                Var image = t.input(Layout.channelsLast(b, "image", Shape.of(1, 3, 64, 64), reference.floats("image")));
                Var features = t.segment1("reward", in -> UnitLength.of(encoder.forward(transform.forward(Pixels.of(in[0]))).features()), image);
                Var score = features.apply(new Linear(), t.constant(head)).affine(1, reference.floats("head.bias")[0]);
                Close.relativeL2("image_embeds_normalised", reference.floats("image_embeds_normalised"), b.toFloats(features.value()), LIMIT);
                Close.relativeL2("score", reference.floats("score"), b.toFloats(score.value()), LIMIT);
                t.backward(score.apply(SumTo.all()), gradients);
                Close.relativeL2("grad.image", reference.floats("grad.image"), Layout.channelsFirst(b, gradients.of(image).orElseThrow()), GRADIENT_LIMIT);
                assertTrue(gradients.parameters().isEmpty(), "only the image gets a gradient: the weights are frozen");
            }
            for (String name : new String[] {"embeddings", "last_hidden_state", "image_embeds"}) {
                Close.relativeL2(name, reference.floats(name), seen.get(name), LIMIT);
            }
            Close.relativeL2("pixel_values", reference.floats("pixel_values.red"), red(seen.get("pixel_values")), LIMIT);
            assertEquals(modelBytes, b.memory().liveBytes());
        }
    }

    private static float[] red(float[] rgb) {
        float[] red = new float[rgb.length / 3];
        for (int i = 0; i < red.length; i++) {
            red[i] = rgb[3 * i];
        }
        return red;
    }

    @Test void agreesWithTransformersForwardAndBackward() throws IOException {
        agreesWithUpstream(ClipPreprocessing.ALIGNPROP, Segment.Retention.STORE);
    }

    @Test void agreesWhenRecomputedAndAntialiasingDoesNothingWhereImagesGrow() throws IOException {
        agreesWithUpstream(new Resampling(Resampling.Filter.BILINEAR, true), Segment.Retention.RECOMPUTE);
    }

    @Test void refusesImagesOfAnotherSize() throws IOException {
        try (CpuBackend b = new CpuBackend(); ClipModel model = ClipModel.load(b, TinyClip.write(folder)); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            String message = assertThrows(ShapeException.class, () -> model.imageFeatures(t.constant(b.floats("x", Shape.of(1, 6, 7, 3), new float[126])))).getMessage();
            assertTrue(message.contains("[B,6,6,3], got [1,6,7,3]"), message);
        }
    }
}
