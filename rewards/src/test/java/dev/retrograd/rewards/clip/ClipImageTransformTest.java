package dev.retrograd.rewards.clip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClipImageTransformTest {
    private static final List<Double> ZEROS = List.of(0.0, 0.0, 0.0);
    private static final List<Double> ONES = List.of(1.0, 1.0, 1.0);

    private static float[] transform(ClipPreprocessing settings, int height, int width, float... pixels) {
        try (CpuBackend b = new CpuBackend(); Tape t = new Tape(b, Segment.Policy.STORE_ALL); ClipImageTransform transform = new ClipImageTransform(b, settings)) {
            return b.toFloats(transform.forward(t.constant(b.floats("pixels", Shape.of(1, height, width, 3), pixels))).value());
        }
    }

    /// Every colour of a pixel is 10·row + column.
    private static float[] numbered(int height, int width) {
        float[] pixels = new float[height * width * 3];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = 10 * (i / 3 / width) + i / 3 % width;
        }
        return pixels;
    }

    private static float[] firstColour(float[] rgb) {
        float[] values = new float[rgb.length / 3];
        for (int i = 0; i < values.length; i++) {
            values[i] = rgb[3 * i];
        }
        return values;
    }

    @Test void cutsTheCentreOfARectangleRoundingTowardsTheUpperLeft() {
        ClipPreprocessing settings = new ClipPreprocessing(2, 2, ClipPreprocessing.TRANSFORMERS, ZEROS, ONES);
        assertArrayEquals(new float[] {1, 2, 11, 12}, firstColour(transform(settings, 2, 5, numbered(2, 5))));
        assertArrayEquals(new float[] {10, 11, 20, 21}, firstColour(transform(settings, 5, 2, numbered(5, 2))));
    }

    @Test void keepsTheAspectRatio() {
        float[] wide = new RandomValues(3).uniform(4 * 11 * 3, 0, 1);
        ClipPreprocessing whole = new ClipPreprocessing(8, 8, ClipPreprocessing.ALIGNPROP, ZEROS, ONES);
        float[] cut = transform(whole, 4, 11, wide);
        float[] middle = new float[4 * 9 * 3];
        for (int row = 0; row < 4; row++) {
            System.arraycopy(wide, (row * 11 + 1) * 3, middle, row * 27, 27);
        }
        // Twice the size either way; the crop looks at columns 3.5 to 7.5 of 11, which do not see the first and last.
        assertEquals(8 * 8 * 3, cut.length);
        assertArrayEquals(cut, transform(whole, 4, 9, middle), 1e-6f);
    }

    @Test void normalisesWithTheMeanAndDeviationOfCLIP() {
        float[] grey = new float[6 * 6 * 3];
        java.util.Arrays.fill(grey, 0.5f);
        float[] values = transform(ClipPreprocessing.of(6, ClipPreprocessing.TRANSFORMERS), 6, 6, grey);
        Close.elements("normalised", new double[] {(0.5 - 0.48145466) / 0.26862954, (0.5 - 0.4578275) / 0.26130258, (0.5 - 0.40821073) / 0.27577711},
                new double[] {values[0], values[1], values[2]}, 1e-6, 0);
    }

    @Test void clampsWhereTheBicubicFilterOvershoots() {
        float[] edge = new float[12 * 12 * 3];
        for (int i = 0; i < edge.length; i++) {
            edge[i] = i / 3 % 12 < 5 ? 0 : 1;
        }
        float[] values = transform(new ClipPreprocessing(24, 24, ClipPreprocessing.TRANSFORMERS, ZEROS, ONES), 12, 12, edge);
        int between = 0;
        for (float v : values) {
            assertTrue(v >= 0 && v <= 1, "in [0,1], got " + v);
            between += v > 0 && v < 1 ? 1 : 0;
        }
        assertTrue(between > 0, "the edge is smooth");
    }

    @Test void refusesWhatAreNoImages() {
        String message = assertThrows(ShapeException.class, () -> {
            try (CpuBackend b = new CpuBackend(); Tape t = new Tape(b, Segment.Policy.STORE_ALL);
                    ClipImageTransform transform = new ClipImageTransform(b, ClipPreprocessing.of(6, ClipPreprocessing.TRANSFORMERS))) {
                transform.forward(t.constant(b.floats("grey", Shape.of(1, 6, 6, 1), new float[36])));
            }
        }).getMessage();
        assertEquals("clip: images must be [B,H,W,3], got [1,6,6,1]", message);
    }

    @Test void readsTheSettingsOfTheFolder(@TempDir Path folder) throws IOException {
        assertEquals(ClipPreprocessing.of(224, ClipPreprocessing.TRANSFORMERS), ClipPreprocessing.read(folder, 224));
        Path file = folder.resolve("preprocessor_config.json");
        Files.writeString(file, """
                {"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor",
                 "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224}""");
        assertEquals(ClipPreprocessing.of(224, ClipPreprocessing.TRANSFORMERS), ClipPreprocessing.read(folder, 224));
        Files.writeString(file, """
                {"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 240}, "resample": 2, "image_mean": [0, 0, 0], "image_std": [1, 1, 1], "rescale_factor": 0.00392156862745098}""");
        assertEquals(new ClipPreprocessing(240, 224, new Resampling(Resampling.Filter.BILINEAR, true), ZEROS, ONES), ClipPreprocessing.read(folder, 224));
    }

    @Test void refusesSettingsItCannotServe(@TempDir Path folder) throws IOException {
        refused(folder, "{\"resample\": 0}", "'resample' must be 2 (bilinear) or 3 (bicubic), got 0");
        refused(folder, "{\"do_normalize\": false}", "'do_normalize' false is not supported, only true is");
        refused(folder, "{\"crop_size\": 336, \"size\": 336}", "'crop_size' must be the model's image_size 224 and at most 'size', got 336 and 336");
        refused(folder, "{\"crop_size\": {\"height\": 224, \"width\": 200}}", "'width' 200 is not supported, only 224 is");
        refused(folder, "{\"image_std\": [1, 0, 1]}", "'image_std' must be positive, got [1.0, 0.0, 1.0]");
        refused(folder, "{\"image_mean\": [1, 0]}", "'image_mean' must be a list of 3 numbers, got [1,0]");
        refused(folder, "{\"sharpen\": true}", "not supported: 'sharpen' true");
    }

    private static void refused(Path folder, String json, String message) throws IOException {
        Files.writeString(folder.resolve("preprocessor_config.json"), json);
        String got = assertThrows(ModelFormatException.class, () -> ClipPreprocessing.read(folder, 224)).getMessage();
        assertTrue(got.contains("preprocessor_config.json") && got.endsWith(message), got);
    }
}
