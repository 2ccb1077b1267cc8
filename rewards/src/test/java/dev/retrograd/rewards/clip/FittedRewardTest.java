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
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FittedRewardTest {
    private static final List<String> UNREAD = List.of("", "");
    private static final Shape IMAGES = Shape.of(2, 9, 7, 3);

    @TempDir Path folder;
    private Path head;

    @BeforeEach void writeModel() throws IOException {
        TinyClip.write(folder);
        head = write(HeadWeights.Activation.SILU, 5);
    }

    private Path write(HeadWeights.Activation activation, int features) throws IOException {
        Path file = folder.resolve("head.safetensors");
        double[] std = new double[features];
        Arrays.fill(std, 0.1);
        HeadWeights.random("probe", activation, features, List.of(6, 3), new RandomStream(4)).of(new double[features], std, 10, 0).write(file);
        return file;
    }

    @Test void isTheHeadOfTheFeaturesOfUnitLength() throws IOException {
        float[] pixels = new RandomValues(5).uniform(IMAGES.elements(), 0, 1);
        try (CpuBackend b = new CpuBackend(); FittedReward reward = FittedReward.load(b, folder, head); ClipModel model = ClipModel.load(b, folder);
                ClipImageTransform transform = new ClipImageTransform(b, model.preprocessing()); FeatureHead alone = FeatureHead.frozen(b, HeadWeights.read(head));
                Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            float[] features = b.toFloats(model.imageFeatures(transform.forward(t.constant(b.floats("pixels", IMAGES, pixels)))).value());
            for (int i = 0; i < 2; i++) {
                double squares = 0;
                for (int j = 0; j < 5; j++) {
                    squares += features[5 * i + j] * features[5 * i + j];
                }
                for (int j = 0; j < 5; j++) {
                    features[5 * i + j] /= (float) Math.sqrt(squares);
                }
            }
            float[] expected = b.toFloats(alone.forward(t.constant(b.floats("features", Shape.of(2, 5), features))).value());
            float[] got = b.toFloats(reward.score(t.constant(b.floats("pixels", IMAGES, pixels)), UNREAD).value());
            Close.elements("scores", expected, got, 1e-6, 1e-6);
            assertTrue(Math.abs(got[0] - got[1]) > 1e-4, "the images differ");
            assertEquals("probe", reward.name());
        }
    }

    @ParameterizedTest
    @EnumSource
    void gradientIsRight(HeadWeights.Activation activation) throws IOException {
        write(activation, 5);
        double[] pixels = Close.widened(new RandomValues(6).uniform(IMAGES.elements(), 0.2, 0.8));
        double[] dy = {0.7, -1.3};
        try (ReferenceBackend b = new ReferenceBackend(); FittedReward reward = FittedReward.load(b, folder, head)) {
            double[][] got = new double[2][];
            for (Segment.Retention retention : Segment.Retention.values()) {
                try (Scope _ = b.memory().open("gradient"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
                    Var in = t.input(upload(b, pixels));
                    Var score = t.segment1("reward", v -> reward.score(v[0], UNREAD), in);
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

    private static double[] forward(ReferenceBackend b, FittedReward reward, double[] pixels) {
        try (Scope _ = b.memory().open("forward"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return b.toDoubles(reward.score(t.constant(upload(b, pixels)), UNREAD).value());
        }
    }

    private static Tensor upload(ReferenceBackend b, double[] pixels) {
        Tensor t = b.empty("pixels", new Spec(IMAGES, DType.F32));
        b.set(t, pixels);
        return t;
    }

    @Test void freesEverythingAtItsEnd() throws IOException {
        try (CpuBackend b = new CpuBackend()) {
            try (FittedReward reward = FittedReward.load(b, folder, head); Scope _ = b.memory().open("score"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
                assertEquals(2, reward.score(t.constant(b.zeros("pixels", new Spec(IMAGES, DType.F32))), UNREAD).dim(0));
                assertTrue(b.memory().liveBytes() > 0);
            }
            assertEquals(0, b.memory().liveBytes());
        }
    }

    private long peak(Backend b, Segment.Retention retention) throws IOException {
        try (FittedReward reward = FittedReward.load(b, folder, head); Scope _ = b.memory().open("pass"); Tape t = new Tape(b, _ -> retention); Gradients gradients = new Gradients(b)) {
            Var in = t.input(b.empty("pixels", new Spec(IMAGES, DType.F32)));
            b.fill(in.value(), 0.5);
            b.memory().resetPeak();
            t.backward(t.segment1("reward", v -> reward.score(v[0], UNREAD), in).apply(SumTo.all()), gradients);
            return b.memory().peakBytes();
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

    @Test void refusesAHeadForOtherFeaturesAndLeavesNothingBehind() throws IOException {
        write(HeadWeights.Activation.NONE, 4);
        try (CpuBackend b = new CpuBackend()) {
            String got = assertThrows(ModelFormatException.class, () -> FittedReward.load(b, folder, head)).getMessage();
            assertEquals(head + ": the head must take features of length 5, those of " + folder + ", got one for 4", got);
            assertEquals(0, b.memory().liveBytes());
        }
    }

    @Test void refusesPixelsThatAreNoImages() throws IOException {
        try (CpuBackend b = new CpuBackend(); FittedReward reward = FittedReward.load(b, folder, head); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var wrong = t.constant(b.floats("pixels", Shape.of(1, 2, 2, 4), new float[16]));
            assertEquals("clip: images must be [B,H,W,3], got [1,2,2,4]", assertThrows(ShapeException.class, () -> reward.score(wrong, List.of(""))).getMessage());
        }
    }
}
