package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.DType;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HeadWeightsTest {
    @TempDir Path folder;

    private static float[] scores(HeadWeights weights, float... features) {
        try (CpuBackend b = new CpuBackend(); FeatureHead head = FeatureHead.frozen(b, weights); Scope _ = b.memory().open("scores");
                Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toFloats(head.forward(t.constant(b.floats("features", Shape.of(features.length / weights.features(), weights.features()), features))).value());
        }
    }

    @Test void aFileGivesTheSameHeadBack() throws IOException {
        HeadWeights head = HeadWeights.random("my score", HeadWeights.Activation.GELU, 5, List.of(7, 3), new RandomStream(1));
        Path file = folder.resolve("head.safetensors");
        head.write(file);
        HeadWeights read = HeadWeights.read(file);
        assertEquals("my score", read.name());
        assertEquals(HeadWeights.Activation.GELU, read.activation());
        assertEquals(3, read.layers().size());
        for (int i = 0; i < 3; i++) {
            assertArrayEquals(head.layers().get(i).weight(), read.layers().get(i).weight());
            assertArrayEquals(head.layers().get(i).bias(), read.layers().get(i).bias());
        }
        byte[] first = Files.readAllBytes(file);
        read.write(file);
        assertArrayEquals(first, Files.readAllBytes(file));
    }

    @Test void readsLaionsNumberingWithoutMetadata() throws IOException {
        Path file = folder.resolve("laion.safetensors");
        new SafeTensorsWriter().add("layers.0.weight", Shape.of(2, 3), 1, 0, 0, 0, 1, 1).add("layers.0.bias", Shape.of(2), 0, 1)
                .add("layers.10.weight", Shape.of(1, 2), 2, -1).add("layers.10.bias", Shape.of(1), 0.5f).write(file);
        HeadWeights head = HeadWeights.read(file);
        assertEquals("fitted", head.name());
        assertEquals(HeadWeights.Activation.NONE, head.activation());
        // 2·x0 − (x1 + x2 + 1) + 0.5
        assertArrayEquals(new float[] {-3.5f, 0.5f}, scores(head, 1, 2, 3, 0, -1, 0));
    }

    @Test void theActivationRunsBetweenLayersOnly() {
        HeadWeights.Layer first = new HeadWeights.Layer(1, 2, new float[] {1, -1}, new float[] {0, 0});
        HeadWeights.Layer last = new HeadWeights.Layer(2, 1, new float[] {-1, -3}, new float[] {0});
        assertArrayEquals(new float[] {-2, -6}, scores(new HeadWeights("relu", HeadWeights.Activation.RELU, List.of(first, last)), 2, -2));
        assertArrayEquals(new float[] {4, -4}, scores(new HeadWeights("none", HeadWeights.Activation.NONE, List.of(first, last)), 2, -2));
    }

    @Test void standardisationIsContainedInTheLayers() {
        HeadWeights inner = HeadWeights.random("inner", HeadWeights.Activation.SILU, 4, List.of(6), new RandomStream(2));
        double[] mean = {0.5, -0.25, 0, 2};
        double[] std = {0.1, 2, 1, 0.5};
        float[] plain = new RandomValues(3).normal(5 * 4);
        float[] standardised = new float[plain.length];
        for (int i = 0; i < plain.length; i++) {
            standardised[i] = (float) ((plain[i] - mean[i % 4]) / std[i % 4]);
        }
        float[] expected = scores(inner, standardised);
        for (int i = 0; i < expected.length; i++) {
            expected[i] = 3 * expected[i] - 7;
        }
        Close.elements("scores", expected, scores(inner.of(mean, std, 3, -7), plain), 1e-4, 1e-5);
    }

    @Test void refusesLayersThatDoNotFollow() {
        HeadWeights.Layer wide = new HeadWeights.Layer(2, 3, new float[6], new float[3]);
        assertEquals("head: layer 0 of 1 must have 1 output, got 3",
                assertThrows(ShapeException.class, () -> new HeadWeights("x", HeadWeights.Activation.NONE, List.of(wide))).getMessage());
        assertEquals("head: layer 0 of 2 must have 2 outputs, got 3",
                assertThrows(ShapeException.class, () -> new HeadWeights("x", HeadWeights.Activation.NONE, List.of(wide, wide))).getMessage());
        assertEquals("head: at least one linear layer is required, got none",
                assertThrows(ShapeException.class, () -> new HeadWeights("x", HeadWeights.Activation.NONE, List.of())).getMessage());
    }

    private static SafeTensorsWriter valid() {
        return new SafeTensorsWriter().add("layers.0.weight", Shape.of(1, 2), 1, 2).add("layers.0.bias", Shape.of(1), 0);
    }

    private void refused(SafeTensorsWriter writer, String message) throws IOException {
        Path file = folder.resolve("hostile.safetensors");
        writer.write(file);
        assertEquals(file + ": " + message, assertThrows(ModelFormatException.class, () -> HeadWeights.read(file)).getMessage());
    }

    @Test void refusesHostileFiles() throws IOException {
        refused(new SafeTensorsWriter(), "head: at least one linear layer is required, got none");
        refused(valid().add("layers.1.running_mean", Shape.of(1), 1), "a head holds only 'layers.N.weight' and 'layers.N.bias', got 'layers.1.running_mean'");
        refused(valid().add("layers.00.weight", Shape.of(1), 1), "a head holds only 'layers.N.weight' and 'layers.N.bias', got 'layers.00.weight'");
        refused(valid().add("\u001b[2J", Shape.of(1), 1), "a head holds only 'layers.N.weight' and 'layers.N.bias', got '\\u001b[2J'");
        refused(valid().add("layers.2.bias", Shape.of(1), 1), "tensor 'layers.2.weight' is required, but there is none among its 3");
        refused(valid().add("layers.2.weight", Shape.of(1, 1, 1), 1), "tensor 'layers.2.weight' must be [out,in], got [1,1,1]");
        refused(new SafeTensorsWriter().add("layers.0.weight", Shape.of(1, 2), 1, 2).add("layers.0.bias", Shape.of(2), 0, 0),
                "layers.0: head: a layer of 2 inputs and 1 outputs takes 2 weights and 1 biases, got 2 and 2");
        refused(new SafeTensorsWriter().add("layers.0.weight", Shape.of(1, 2), 1, Float.NaN).add("layers.0.bias", Shape.of(1), 0),
                "tensor 'layers.0.weight' must be finite, got NaN at element 1");
        refused(new SafeTensorsWriter().add("layers.0.weight", new Spec(Shape.of(1, 2), DType.I32), () -> MemorySegment.ofArray(new int[2])).add("layers.0.bias", Shape.of(1), 0),
                "tensor 'layers.0.weight' must hold floating-point numbers, got I32");
        refused(valid().add("layers.1.weight", Shape.of(1, 2), 1, 2).add("layers.1.bias", Shape.of(1), 0), "head: layer 0 of 2 must have 2 outputs, got 1");
        refused(valid().metadata("activation", "swish"), "'activation' must be one of none, relu, gelu, silu, tanh, got 'swish'");
        refused(valid().metadata("name", "a\nb"), "head: a name must be 1 to 64 letters, digits, spaces and ._+- and begin with a letter or digit, got 'a\\u000ab'");
        Path file = folder.resolve("torn.safetensors");
        Files.write(file, new byte[] {1, 2, 3});
        assertTrue(assertThrows(ModelFormatException.class, () -> HeadWeights.read(file)).getMessage().startsWith(file + ": "));
    }
}
