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
import dev.retrograd.core.DType;
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
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What every differentiable reward with a model must do, on a model small enough for numeric gradients.
public abstract class RewardContract {
    /// Two images of 9×7 pixels.
    public static final Shape IMAGES = Shape.of(2, 9, 7, 3);

    /// The reward on a backend; closed by the caller.
    protected abstract DifferentiableReward load(Backend b) throws IOException;

    /// One prompt for each of the two images.
    protected List<String> prompts() {
        return List.of("cat", "a dog");
    }

    private Var scored(DifferentiableReward reward, Tape t, Var pixels) {
        return t.segment1("reward", v -> reward.score(v[0], prompts()), pixels);
    }

    @Test void gradientIsRight() throws IOException {
        double[] pixels = Close.widened(new RandomValues(6).uniform(IMAGES.elements(), 0.2, 0.8));
        double[] dy = {0.7, -1.3};
        try (ReferenceBackend b = new ReferenceBackend(); DifferentiableReward reward = load(b)) {
            double[][] got = new double[2][];
            for (Segment.Retention retention : Segment.Retention.values()) {
                try (Scope _ = b.memory().open("gradient"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                    Var in = t.input(upload(b, pixels));
                    Var score = scored(reward, t, in);
                    assertEquals(Shape.of(2), score.shape());
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
            assertTrue(Arrays.stream(expected).anyMatch(e -> Math.abs(e) > 1e-3), "there is a gradient");
        }
    }

    private double[] forward(ReferenceBackend b, DifferentiableReward reward, double[] pixels) {
        try (Scope _ = b.memory().open("forward"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toDoubles(reward.score(t.constant(upload(b, pixels)), prompts()).value());
        }
    }

    private static Tensor upload(ReferenceBackend b, double[] pixels) {
        Tensor t = b.empty("pixels", new Spec(IMAGES, DType.F32));
        b.set(t, pixels);
        return t;
    }

    private long peak(Backend b, Segment.Retention retention) throws IOException {
        try (DifferentiableReward reward = load(b)) {
            reward.prepare(prompts());
            try (Scope _ = b.memory().open("pass"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                Var in = t.input(b.empty("pixels", new Spec(IMAGES, DType.F32)));
                b.fill(in.value(), 0.5);
                b.memory().resetPeak();
                t.backward(scored(reward, t, in).apply(SumTo.all()), gradients);
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

    @Test void freesEverythingAtItsEnd() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            try (DifferentiableReward reward = load(b); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
                assertTrue(b.memory().liveBytes() > 0, "the model takes memory");
                assertEquals(2, reward.score(t.constant(b.zeros("pixels", new Spec(IMAGES, DType.F32))), prompts()).dim(0));
            }
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void anImageIsScoredAsItIsAlone() throws IOException {
        float[] pixels = new RandomValues(5).uniform(IMAGES.elements(), 0, 1);
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = load(b); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            float[] both = b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, pixels)), prompts()).value());
            float[] second = Arrays.copyOfRange(pixels, pixels.length / 2, pixels.length);
            float[] alone = b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES.with(0, 1), second)), prompts().subList(1, 2)).value());
            assertEquals(both[1], alone[0], 1e-5 * Math.max(1, Math.abs(both[1])));
            assertTrue(Math.abs(both[0] - both[1]) > 1e-5, "the images differ: " + both[0] + " and " + both[1]);
        }
    }

    @Test void refusesPixelsThatAreNoImages() throws IOException {
        try (CpuBackend b = new CpuBackend(); DifferentiableReward reward = load(b); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var wrong = t.constant(b.floats("pixels", Shape.of(2, 2, 2, 4), new float[32]));
            String message = assertThrows(ShapeException.class, () -> reward.score(wrong, prompts())).getMessage();
            assertTrue(message.endsWith("images must be [B,H,W,3], got [2,2,2,4]"), message);
        }
    }
}
