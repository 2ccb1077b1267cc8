package dev.retrograd.trainer.fit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.RandomStream;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.rewards.clip.TinyClip;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HeadFitTest {
    private static final HeadFit.Settings LINEAR = new HeadFit.Settings(List.of(), HeadWeights.Activation.NONE, 400, 64, 0.03, 0, 0.25, 5);
    private static final HeadFit.Settings CURVED = new HeadFit.Settings(List.of(16), HeadWeights.Activation.SILU, 600, 64, 0.02, 1e-3, 0.25, 5);

    @TempDir private Path clip;
    private final CpuBackend backend = new CpuBackend();

    @AfterEach void everythingIsFreed() {
        assertEquals(0, backend.memory().liveBytes());
        backend.close();
    }

    /// Flat colours with some noise, through a tiny random CLIP.
    private FeatureTable features(int count) throws IOException {
        TinyClip.write(clip);
        ImageSource images = new ImageSource() {
            @Override public int size() {
                return count;
            }

            @Override public void forEach(Receiver receiver) throws IOException {
                for (int first = 0; first < count; first += 50) {
                    int n = Math.min(50, count - first);
                    RandomStream random = new RandomStream(first);
                    float[] pixels = random.rand(n * 6 * 6 * 3);
                    receiver.accept(new PixelBatch(pixels, n, 6, 6), Collections.nCopies(n, ""));
                }
            }
        };
        try (ImageFeatures tower = ImageFeatures.load(backend, clip)) {
            return FeatureTable.of(tower, images, (_, pixels, _) -> new float[pixels.batch()], _ -> { });
        }
    }

    private static FeatureTable scored(FeatureTable t, ToDoubleFunction<float[]> score) {
        float[] scores = new float[t.size()];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) score.applyAsDouble(Arrays.copyOfRange(t.features(), i * t.width(), (i + 1) * t.width()));
        }
        return new FeatureTable(t.width(), t.features(), scores);
    }

    private static double known(float... f) {
        return 100 + 3 * f[0] - 2 * f[1] + 0.5 * f[3];
    }

    @Test void recoversAKnownLinearFunction() throws IOException {
        FeatureTable table = scored(features(300), HeadFitTest::known);
        HeadFit.Result result = new HeadFit(backend, LINEAR).fit("known", table, (_, _) -> { });
        assertEquals(75, result.heldOut().count());
        assertEquals(225, result.fitted().count());
        assertTrue(result.heldOut().r2() > 0.95, result.heldOut().toString());
        assertTrue(result.heldOut().spearman() > 0.95, result.heldOut().toString());
        assertEquals("known", result.head().name());
    }

    @Test void aHiddenLayerFitsWhatIsNotLinear() {
        FeatureTable table = scored(new FeatureTable(3, new RandomStream(1).randn(1200), new float[400]), f -> Math.abs(f[0]) + f[1] * f[1]);
        double curved = new HeadFit(backend, CURVED).fit("curved", table, (_, _) -> { }).heldOut().r2();
        double linear = new HeadFit(backend, LINEAR).fit("linear", table, (_, _) -> { }).heldOut().r2();
        assertTrue(curved > 0.8 && linear < 0.2, curved + " against " + linear);
    }

    @Test void isAFunctionOfTableAndSettings() throws IOException {
        FeatureTable table = scored(features(60), HeadFitTest::known);
        HeadFit.Settings short_ = new HeadFit.Settings(List.of(4), HeadWeights.Activation.GELU, 20, 16, 0.01, 0, 0.2, 1);
        double[] losses = new double[20];
        HeadFit.Result a = new HeadFit(backend, short_).fit("a", table, (update, loss) -> losses[update - 1] = loss);
        HeadFit.Result b = new HeadFit(backend, short_).fit("a", table, (update, loss) -> assertEquals(losses[update - 1], loss));
        assertArrayEquals(a.head().layers().getFirst().weight(), b.head().layers().getFirst().weight());
        assertEquals(a.heldOut(), b.heldOut());
        assertTrue(losses[19] < losses[0], Arrays.toString(losses));
    }

    @Test void refusesScoresThatNothingCanBeFittedTo() {
        HeadFit fit = new HeadFit(backend, LINEAR);
        assertEquals("fit-reward: at least 8 images are required, got 7", refusal(fit, new float[7]));
        assertEquals("fit-reward: scores must differ, got 15 times 3.0", refusal(fit, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3));
        assertEquals("scores: must be finite, got NaN for image 7", refusal(fit, 1, 2, 3, 4, 5, 6, 7, Float.NaN));
    }

    private static String refusal(HeadFit fit, float... scores) {
        float[] features = new RandomStream(1).randn(2 * scores.length);
        return assertThrows(IllegalArgumentException.class, () -> fit.fit("x", new FeatureTable(2, features, scores), (_, _) -> { })).getMessage();
    }

    @Test void refusesImpossibleSettings() {
        assertEquals("--hidden: must be widths of 1..16384, got [4, 0]", assertThrows(IllegalArgumentException.class,
                () -> new HeadFit.Settings(List.of(4, 0), HeadWeights.Activation.NONE, 1, 1, 1, 0, 0.5, 0)).getMessage());
        assertEquals("--held-out: must be a share above 0 and below 1, got 1.0", assertThrows(IllegalArgumentException.class,
                () -> new HeadFit.Settings(List.of(), HeadWeights.Activation.NONE, 1, 1, 1, 0, 1, 0)).getMessage());
        assertEquals("--learning-rate: must be above 0, got NaN", assertThrows(IllegalArgumentException.class,
                () -> new HeadFit.Settings(List.of(), HeadWeights.Activation.NONE, 1, 1, Double.NaN, 0, 0.5, 0)).getMessage());
    }
}
