package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Resampling.Filter;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CpuImageTest {
    private final CpuTensors tensors = new CpuTensors();
    private final Workers workers = new Workers(2);
    private final CpuImage image = new CpuImage(workers);
    private final RandomValues random = new RandomValues(11);

    @AfterEach void close() {
        workers.close();
        tensors.close();
    }

    @Test void agreesWithTorchvision() throws IOException {
        Path folder = Golden.path("resize");
        JsonNode checks = new ObjectMapper().readTree(folder.resolve("checks.json").toFile()).get("checks");
        assertEquals(4, checks.size());
        for (JsonNode check : checks) {
            Resampling how = new Resampling(Filter.BILINEAR, check.get("antialias").asBoolean());
            JsonNode out = check.get("expect").get("out");
            JsonNode grad = check.get("expect").get("grad:in");
            Tensor x = read(folder, check.get("inputs").get("in").asText());
            Tensor expected = read(folder, out.get("tensor").asText());
            Tensor y = tensors.empty(1, expected.dim(1), expected.dim(2), 1);
            image.resize(how, x, y);
            Close.relativeL2(out.get("tensor").asText(), CpuTensors.floats(expected), CpuTensors.floats(y), out.get("max_rel_l2").asDouble());
            if (grad == null) {
                continue;
            }
            float[] weight = new float[Math.toIntExact(y.elements())];
            for (int i = 0; i < weight.length; i++) {
                weight[i] = (float) (-1 + 2.0 * i / (weight.length - 1));
            }
            Tensor dx = tensors.empty(1, x.dim(1), x.dim(2), 1);
            image.resizeBackward(how, tensors.of(weight, 1, y.dim(1), y.dim(2), 1), dx);
            Tensor expectedGradient = read(folder, grad.get("tensor").asText());
            Close.relativeL2(grad.get("tensor").asText(), CpuTensors.floats(expectedGradient), CpuTensors.floats(dx), grad.get("max_rel_l2").asDouble());
        }
    }

    /// A `[1,1,H,W]` tensor of the folder as `[1,H,W,1]`.
    private Tensor read(Path folder, String name) throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("reference.safetensors"))).order(ByteOrder.LITTLE_ENDIAN);
        int headerLength = Math.toIntExact(file.getLong());
        JsonNode entry = new ObjectMapper().readTree(new String(file.array(), 8, headerLength, StandardCharsets.UTF_8)).get(name);
        int height = entry.get("shape").get(2).asInt();
        int width = entry.get("shape").get(3).asInt();
        float[] values = new float[height * width];
        file.position(8 + headerLength + entry.get("data_offsets").get(0).asInt());
        file.asFloatBuffer().get(values);
        return tensors.of(values, 1, height, width, 1);
    }

    @ParameterizedTest
    @CsvSource({"9,13,4,6,3", "8,8,16,24,1", "7,5,7,5,20", "1,1,3,2,2", "17,40,3,41,17"})
    void resizeBackwardIsTheAdjointOfResize(int height, int width, int newHeight, int newWidth, int channels) {
        float[] x = random.normal(2L * height * width * channels);
        float[] dy = random.normal(2L * newHeight * newWidth * channels);
        for (Filter filter : Filter.values()) {
            for (boolean antialias : new boolean[] {false, true}) {
                Resampling how = new Resampling(filter, antialias);
                Tensor y = tensors.empty(2, newHeight, newWidth, channels);
                Tensor dx = tensors.empty(2, height, width, channels);
                image.resize(how, tensors.of(x, 2, height, width, channels), y);
                image.resizeBackward(how, tensors.of(dy, 2, newHeight, newWidth, channels), dx);
                double forward = dot(CpuTensors.floats(y), dy);
                double backward = dot(x, CpuTensors.floats(dx));
                Close.elements(how.toString(), new double[] {forward}, new double[] {backward}, 1e-5 * Math.sqrt(x.length), 0);
            }
        }
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    @Test void resizingToTheSameSizeChangesNothing() {
        float[] x = random.normal(5 * 6 * 3);
        for (Filter filter : Filter.values()) {
            for (boolean antialias : new boolean[] {false, true}) {
                Tensor y = tensors.empty(1, 5, 6, 3);
                image.resize(new Resampling(filter, antialias), tensors.of(x, 1, 5, 6, 3), y);
                assertArrayEquals(x, CpuTensors.floats(y), filter + " " + antialias);
            }
        }
    }

    @Test void cubicConvolutionHasItsPublishedWeights() {
        // halving samples halfway between pixels: with a = −0.75 the weights are −0.09375, 0.59375, 0.59375, −0.09375
        Tensor y = tensors.empty(1, 1, 8, 1);
        image.resize(new Resampling(Filter.BICUBIC, false), tensors.of(new float[] {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 1, 16, 1), y);
        assertArrayEquals(new float[] {0, 0.59375f, -0.09375f, 0, 0, 0, 0, 0}, CpuTensors.floats(y));
    }

    @Test void widenedFilterAveragesWhatItCovers() {
        // halving with the triangle filter: weights 1 3 3 1 of 8, cut off and normalised at the border: 3 3 1 of 7
        Tensor y = tensors.empty(1, 1, 4, 1);
        image.resize(new Resampling(Filter.BILINEAR, true), tensors.of(new float[] {7, 0, 0, 8, 0, 0, 0, 0}, 1, 1, 8, 1), y);
        Close.elements("y", new float[] {3, 3, 1, 0}, CpuTensors.floats(y), 1e-6, 0);
    }

    @ParameterizedTest @CsvSource({"2,3,4,5", "3,2,2,33", "2,1,1,1"})
    void upsampleNearestRepeatsPixelsAndItsBackwardSumsThem(int factor, int height, int width, int channels) {
        float[] x = random.normal(2L * height * width * channels);
        Tensor y = tensors.empty(2, height * factor, width * factor, channels);
        image.upsampleNearest(factor, tensors.of(x, 2, height, width, channels), y);
        float[] dy = random.normal(y.elements());
        Tensor dx = tensors.empty(2, height, width, channels);
        image.upsampleNearestBackward(factor, tensors.of(dy, 2, height * factor, width * factor, channels), dx);
        double[] expected = new double[x.length];
        float[] repeated = CpuTensors.floats(y);
        for (int i = 0; i < repeated.length; i++) {
            int c = i % channels;
            int w = i / channels % (width * factor) / factor;
            int h = i / channels / (width * factor) % (height * factor) / factor;
            int b = i / channels / (width * factor) / (height * factor);
            int source = ((b * height + h) * width + w) * channels + c;
            assertEquals(x[source], repeated[i], "pixel " + i);
            expected[source] += dy[i];
        }
        Close.elements("dx", expected, Close.widened(CpuTensors.floats(dx)), 2e-6, 0);
    }

    @Test void bitsDoNotDependOnTheNumberOfThreads() {
        float[] x = random.normal(64 * 64 * 3);
        float[][] results = new float[2][];
        for (int i = 0; i < 2; i++) {
            try (Workers team = new Workers(1 + 2 * i)) {
                Tensor y = tensors.empty(1, 40, 30, 3);
                new CpuImage(team).resize(new Resampling(Filter.BICUBIC, true), tensors.of(x, 1, 64, 64, 3), y);
                results[i] = CpuMemory.data(y).toArray(JAVA_FLOAT);
            }
        }
        assertArrayEquals(results[0], results[1]);
    }
}
