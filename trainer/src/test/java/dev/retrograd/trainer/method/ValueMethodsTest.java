package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegFileSize;
import dev.retrograd.rewards.Reward;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/// Methods that need only the reward's value, here the size of a real JPEG file.
class ValueMethodsTest {
    private static final Reward REWARD = new JpegFileSize(FileSizeGoal.SMALLER);
    private static final DdpoSettings ONE_BATCH = new DdpoSettings(0.9, 5, 8, 8, 1, 2, 1);

    /// The gradient at the second update, which trains on what the first one sampled, after the weights have moved.
    private static void assertSlope(MethodBench bench, Supplier<Method> fresh, double moved, double h, double tolerance) {
        try (Scope _ = bench.backend.memory().open("test")) {
            Method first = fresh.get();
            MethodBench.Result start = bench.update(first, 0);
            bench.move(MethodBench.unit(start.gradient()), moved);
            Map<String, Tensor> state = first.state();
            Supplier<Method> again = () -> {
                Method method = fresh.get();
                method.restore(state);
                return method;
            };
            MethodBench.Result at = bench.update(again.get(), 1);
            assertTrue(MethodBench.norm(at.gradient()) > 0, "a gradient");
            assertArrayEquals(sorted(start), sorted(at), "the same images");
            assertEquals(MethodBench.norm(at.gradient()), bench.slope(again, 1, MethodBench.unit(at.gradient()), h), tolerance * MethodBench.norm(at.gradient()));
        }
    }

    private static float[] sorted(MethodBench.Result result) {
        float[] rewards = result.outcome().rewards().clone();
        java.util.Arrays.sort(rewards);
        return rewards;
    }

    @Test void ddposGradientIsTheSlopeOfPposLoss() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 1)) {
            assertSlope(bench, () -> new Ddpo(bench.parts(REWARD, new RewardLoss.Maximise()), ONE_BATCH), 0.005, 0.002, 0.03);
        }
    }

    @Test void rwrsGradientIsTheSlopeOfTheWeightedDenoisingLoss() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 0)) {
            assertSlope(bench, () -> new Rwr(bench.parts(REWARD, new RewardLoss.Maximise()), new RwrSettings(2, 2, 10)), 0.05, 0.02, 0.03);
        }
    }

    @Test void atItsFirstUpdateDdpoIsThePolicyGradient() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 1)) {
            Outcome outcome = bench.update(new Ddpo(bench.parts(REWARD, new RewardLoss.Maximise()), ONE_BATCH), 0).outcome();
            assertEquals(0, outcome.details().get("approx_kl"), 1e-12, "the weights are those that sampled");
            assertEquals(0, outcome.details().get("clip_fraction"));
            assertEquals(0, outcome.loss(), 1e-5, "advantages of a batch add up to 0, and all ratios are 1");
            assertEquals(2, outcome.k());
        }
    }

    @Test void ddpoGoesOnlyOnWithWhatItSampled() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 1)) {
            Method method = new Ddpo(bench.parts(REWARD, new RewardLoss.Maximise()), ONE_BATCH);
            assertThrows(IllegalStateException.class, () -> bench.update(method, 1));
            bench.update(method, 0);
            bench.update(method, 1);
            try (Scope _ = bench.backend.memory().open("state")) {
                assertEquals(List.of("prompt cat", "prompt butterfly"), new ArrayList<>(method.state().keySet()), "after an epoch only the prompts' rewards are kept");
            }
        }
    }

    @Test void anUpdateThatIsBrokenOffHasNotBeen() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 1); Scope _ = bench.backend.memory().open("test"); Gradients gradients = new Gradients(bench.backend)) {
            Method method = new Ddpo(bench.parts(REWARD, new RewardLoss.Maximise()), ONE_BATCH);
            assertThrows(IllegalStateException.class, () -> MethodBench.update(method, new MethodBench.FixedUpdate(bench, 0, 2, "update 1"), gradients));
            assertEquals(Map.of(), method.state());
        }
    }

    @Test void microBatchesAddUpToTheSameGradient() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 1)) {
            Parts parts = bench.parts(REWARD, new RewardLoss.Maximise());
            List<Supplier<Method>> methods = List.of(() -> new Ddpo(parts, ONE_BATCH), () -> new Rwr(parts, new RwrSettings(2, 1, 10)));
            for (Supplier<Method> method : methods) {
                double[] whole = bench.update(method.get(), 0, 2).gradient();
                double[] parted = bench.update(method.get(), 0, 1).gradient();
                double norm = MethodBench.norm(whole);
                for (int i = 0; i < whole.length; i++) {
                    assertEquals(whole[i], parted[i], 1e-3 * norm, "gradient " + i);
                }
            }
        }
    }

    @Test void rwrsWeightsAreTheSoftmaxTimesTheImages() {
        float[] weights = Rwr.weights(0.2, 5, 5, 10);
        double e = Math.exp(1);
        assertEquals(3 / (2 + e), weights[0], 1e-6);
        assertEquals(3 * e / (2 + e), weights[2], 1e-6);
        assertEquals(3, Rwr.weights(1, -1000, 1000, -5)[1], 1e-6, "no overflow");
    }
}
