package dev.retrograd.rewards;

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
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JpegCompressibilityTest {
    private static final int CHUNK = 16;

    /// Other pictures than those that the constants were fitted to.
    private static final long SEED = 2;

    @ParameterizedTest
    @CsvSource({"64, 64, 95, HALF, 0.995", "96, 64, 95, HALF, 0.995", "256, 256, 95, HALF, 0.995", "72, 56, 95, HALF, 0.995", "61, 75, 95, HALF, 0.99",
        "64, 64, 95, FULL, 0.995", "64, 64, 75, HALF, 0.99", "64, 64, 30, HALF, 0.97"})
    void ranksPicturesAsTheEncoderDoes(int height, int width, int quality, JpegSettings.Chroma chroma, double required) {
        JpegSettings settings = new JpegSettings(quality, chroma);
        PixelBatch images = TestImages.batch(SEED, 304, height, width);
        double[] estimated = estimated(images, settings);
        double[] real = Close.widened(new JpegFileSize(FileSizeGoal.LARGER, settings).score(images, List.of()));
        double correlation = Statistics.spearman(estimated, real);
        double squares = 0;
        for (int i = 0; i < real.length; i++) {
            squares += Math.pow(estimated[i] / real[i] - 1, 2) / real.length;
        }
        double deviation = Math.sqrt(squares);
        DoubleSummaryStatistics sizes = Arrays.stream(real).summaryStatistics();
        System.out.println(String.format(Locale.ROOT, "JPEG estimate, %d pictures of %d×%d, quality %d, chroma %s, files of %.2f to %.2f KB: Spearman %.4f, relative error %.1f %% rms",
                real.length, height, width, quality, chroma, sizes.getMin(), sizes.getMax(), correlation, 100 * deviation));
        assertTrue(correlation >= required, "Spearman " + correlation);
        assertTrue(deviation <= 0.09, "relative error " + deviation);
    }

    /// Scores in KB, a few images at a time.
    private static double[] estimated(PixelBatch images, JpegSettings settings) {
        double[] kilobytes = new double[images.batch()];
        int size = images.height() * images.width() * 3;
        try (CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults())) {
            JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.LARGER, settings);
            for (int from = 0; from < kilobytes.length; from += CHUNK) {
                float[] pixels = Arrays.copyOfRange(images.pixels(), from * size, (from + CHUNK) * size);
                float[] scores = score(backend, reward, new PixelBatch(pixels, CHUNK, images.height(), images.width()));
                for (int i = 0; i < CHUNK; i++) {
                    kilobytes[from + i] = scores[i];
                }
            }
        }
        return kilobytes;
    }

    private static float[] score(Backend backend, JpegCompressibility reward, PixelBatch images) {
        try (Scope _ = backend.memory().open("score"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return backend.toFloats(reward.score(tape.constant(backend.floats("pixels", images.shape(), images.pixels())), List.of()).value());
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 16, 16, 95, HALF", "1, 24, 12, 60, HALF", "2, 8, 8, 95, FULL", "2, 11, 6, 95, FULL"})
    void gradientIsThatOfCentralDifferences(int batch, int height, int width, int quality, JpegSettings.Chroma chroma) {
        Shape shape = Shape.of(batch, height, width, 3);
        JpegSettings settings = new JpegSettings(quality, chroma);
        double[] dy = Arrays.copyOf(new double[] {0.7, -1.3}, batch);
        try (ReferenceBackend backend = new ReferenceBackend()) {
            double[] pixels = SmoothPoint.pixels(backend, new DifferentiableJpeg(backend, settings), shape);
            JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER, settings);
            double[] numeric = CentralDifferences.gradient(x -> {
                try (Scope _ = backend.memory().open("moved"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
                    return backend.toDoubles(reward.score(tape.constant(SmoothPoint.tensor(backend, shape, x)), List.of()).value());
                }
            }, pixels, dy);
            try (Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
                Var x = tape.input(SmoothPoint.tensor(backend, shape, pixels));
                Var y = reward.score(x, List.of());
                tape.backward(y, SmoothPoint.tensor(backend, y.shape(), dy), gradients);
                Close.relativeL2("dpixels", numeric, backend.toDoubles(gradients.of(x).orElseThrow()), 1e-5);
            }
        }
    }

    @Test
    void gradientIsFiniteOnFlatImagesAndAtTheEndsOfTheRange() {
        float[] pixels = new float[3 * 32 * 32 * 3];
        Arrays.fill(pixels, 32 * 32 * 3, 2 * 32 * 32 * 3, 1);
        Arrays.fill(pixels, 2 * 32 * 32 * 3, pixels.length, 0.3f);
        try (CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults())) {
            JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
            for (float g : gradient(backend, reward, new PixelBatch(pixels, 3, 32, 32))) {
                assertTrue(Float.isFinite(g), "gradient " + g);
            }
        }
    }

    private static float[] gradient(Backend backend, JpegCompressibility reward, PixelBatch images) {
        try (Scope _ = backend.memory().open("gradient"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
            Var x = tape.input(backend.floats("pixels", images.shape(), images.pixels()));
            tape.backward(reward.score(x, List.of()).apply(SumTo.all()), gradients);
            return backend.toFloats(gradients.of(x).orElseThrow());
        }
    }

    @ParameterizedTest
    @CsvSource({"SMALLER, 0.92", "LARGER, 2"})
    void climbingItChangesTheRealFileTheSameWay(FileSizeGoal goal, double factor) {
        PixelBatch start = TestImages.smooth(7, 8, 64, 64);
        int size = 64 * 64 * 3;
        float[] pixels = start.pixels().clone();
        PixelBatch images = new PixelBatch(pixels, 8, 64, 64);
        JpegFileSize real = new JpegFileSize(FileSizeGoal.LARGER);
        float[] before = real.score(start, List.of());
        try (CpuBackend backend = new CpuBackend(CpuBackend.Options.defaults())) {
            JpegCompressibility reward = new JpegCompressibility(backend, goal);
            for (int step = 0; step < 30; step++) {
                float[] d = gradient(backend, reward, images);
                for (int image = 0; image < 8; image++) {
                    double squares = 0;
                    for (int i = image * size; i < (image + 1) * size; i++) {
                        squares += (double) d[i] * d[i] / size;
                    }
                    for (int i = image * size; i < (image + 1) * size; i++) {
                        pixels[i] = (float) Math.clamp(pixels[i] + 0.002 * d[i] / Math.sqrt(squares), 0, 1);
                    }
                }
            }
        }
        float[] after = real.score(images, List.of());
        double ratio = 0;
        for (int i = 0; i < before.length; i++) {
            ratio += after[i] / before[i] / before.length;
        }
        assertTrue(goal == FileSizeGoal.SMALLER ? ratio <= factor : ratio >= factor, Arrays.toString(before) + " KB became " + Arrays.toString(after));
    }

    @ParameterizedTest
    @CsvSource({"64, 64", "56, 72"})
    void recomputedItGivesTheSameBitsAndTakesTheBytesOfThePlan(int height, int width) {
        PixelBatch images = TestImages.batch(8, 2, height, width);
        try (CpuBackend cpu = new CpuBackend(CpuBackend.Options.defaults()); PlanBackend plan = new PlanBackend("cpu", cpu.workspaceBytes())) {
            float[] stored = inSegment(cpu, Segment.Policy.STORE_ALL, images, cpu::toFloats);
            float[] recomputed = inSegment(cpu, Segment.Policy.RECOMPUTE_ALL, images, cpu::toFloats);
            assertArrayEquals(stored, recomputed);
            inSegment(plan, Segment.Policy.RECOMPUTE_ALL, images, _ -> null);
            assertEquals(plan.memory().peakBytes(), cpu.memory().peakBytes());
            assertEquals(0, cpu.memory().liveBytes());
        }
    }

    /// What `read` makes of the gradient when the reward is a segment; the memory's peak is that of this call.
    private static float[] inSegment(Backend backend, Segment.Policy policy, PixelBatch images, Function<Tensor, float[]> read) {
        try (JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
                Scope _ = backend.memory().open("update");
                Tape tape = new Tape(backend, policy);
                Gradients gradients = new Gradients(backend)) {
            backend.memory().resetPeak();
            Var x = tape.input(backend.floats("pixels", images.shape(), images.pixels()));
            tape.backward(tape.segment1("reward", in -> reward.score(in[0], List.of()), x).apply(SumTo.all()), gradients);
            return read.apply(gradients.of(x).orElseThrow());
        }
    }

    @Test
    void rejectsWhatIsNoImage() {
        try (ReferenceBackend backend = new ReferenceBackend(); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
            Var grey = tape.constant(backend.zeros("grey", Spec.f32(1, 16, 16, 1)));
            ShapeException e = assertThrows(ShapeException.class, () -> reward.score(grey, List.of("")));
            assertEquals("jpeg: images must be [B,H,W,3], got [1,16,16,1]", e.getMessage());
        }
    }
}
