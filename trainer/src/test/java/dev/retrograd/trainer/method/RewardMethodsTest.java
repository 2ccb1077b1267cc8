package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Methods that differentiate a reward, against each other and against differences of their losses.
class RewardMethodsTest {
    private static final RewardLoss RAISE = new RewardLoss.Maximise();

    /// Mean contrast: a gradient everywhere, not linear.
    private record Contrast() implements DifferentiableReward {
        @Override public String name() {
            return "contrast";
        }

        @Override public Var score(Var pixels, List<String> prompts) {
            Var squared = pixels.affine(2, -1).apply(Unary.pow(2));
            return squared.apply(SumTo.mean(pixels.shape(), Shape.of(pixels.dim(0), 1, 1, 1))).reshape(pixels.dim(0));
        }
    }

    private static final DifferentiableReward REWARD = new Contrast();

    private static BitSet steps(int... kept) {
        BitSet set = new BitSet();
        for (int step : kept) {
            set.set(step);
        }
        return set;
    }

    /// A truncation that is no draw.
    private static Method alignProp(Parts parts, int... kept) {
        return new DirectMethod(parts) {
            @Override int steps(Update update) {
                return kept.length;
            }

            @Override void run(Update update, Batch batch, Gradients gradients, double weight, IntConsumer progress, Consumer<RewardGradient.Pass> forward) {
                AlignProp method = new AlignProp(parts, REWARD, new Truncation.Full());
                method.differentiate(batch, RewardMethodsTest.steps(kept), weight, false, gradients, progress,
                        pass -> forward.accept(new RewardGradient.Pass(null, pass.pixels(), pass.scores(), pass.losses())));
            }
        };
    }

    private static void assertClose(double[] expected, double[] got, double relative) {
        double[] difference = new double[expected.length];
        for (int i = 0; i < expected.length; i++) {
            difference[i] = got[i] - expected[i];
        }
        double error = MethodBench.norm(difference) / MethodBench.norm(expected);
        assertTrue(error <= relative, "relative difference " + error);
    }

    @Test void drtuneIsTheSumOfSingleStepsWithoutWhatPassesThroughTheUNetsInput() throws IOException {
        try (MethodBench bench = new MethodBench(2, 5, 0)) {
            Parts parts = bench.parts(REWARD, RAISE);
            double[] first = bench.update(alignProp(parts, 0), 0).gradient();
            double[] second = bench.update(alignProp(parts, 1), 0).gradient();
            double[] sum = new double[first.length];
            for (int i = 0; i < sum.length; i++) {
                sum[i] = first[i] + second[i];
            }
            double[] both = bench.update(new DrTune(parts, REWARD, 2), 0).gradient();
            assertClose(sum, both, 2e-5);
            double[] through = bench.update(alignProp(parts, 0, 1), 0).gradient();
            double cut = 0;
            for (int i = 0; i < sum.length; i++) {
                cut += Math.pow(through[i] - both[i], 2);
            }
            assertTrue(Math.sqrt(cut) > 2e-4 * MethodBench.norm(both), "AlignProp's gradient also passes through the UNet's input, a share of " + Math.sqrt(cut) / MethodBench.norm(both));
        }
    }

    @Test void drtunesStepsAreEquallySpacedAndInRange() {
        for (int seed = 0; seed < 50; seed++) {
            int[] kept = DrTune.spaced(new RandomStream(seed), 23, 5).stream().toArray();
            assertEquals(5, kept.length);
            for (int i = 1; i < kept.length; i++) {
                assertEquals(4, kept[i] - kept[i - 1]);
            }
            assertTrue(kept[4] < 23, "last of " + kept[4]);
        }
        assertEquals(steps(0, 1, 2), DrTune.spaced(new RandomStream(1), 3, 3));
    }

    /// With one step there is no unrecorded prefix, so that the gradient is that of the loss.
    @ParameterizedTest
    @CsvSource({"1, 0", "5, 0", "1, 1"})
    void reflsGradientIsTheSlopeOfItsLoss(double guidance, double eta) throws IOException {
        try (MethodBench bench = new MethodBench(1, guidance, eta)) {
            Parts parts = bench.parts(REWARD, new RewardLoss.Hinge(2, 0.5));
            MethodBench.Result at = bench.update(new Refl(parts, REWARD), 0);
            assertEquals(0.5 * (2 - mean(at.outcome().rewards())), at.outcome().loss(), 1e-6);
            double slope = bench.slope(() -> new Refl(parts, REWARD), 0, MethodBench.unit(at.gradient()), 0.02);
            assertEquals(MethodBench.norm(at.gradient()), slope, 0.02 * slope);
        }
    }

    @Test void thePenaltysGradientIsItsSlope() throws IOException {
        try (MethodBench bench = new MethodBench(1, 5, 0)) {
            Parts free = bench.parts(REWARD, RAISE);
            Parts guarded = bench.guarded(REWARD, RAISE, 3);
            double without = bench.update(new AlignProp(free, REWARD, new Truncation.Full()), 0).outcome().loss();
            MethodBench.Result at = bench.update(new AlignProp(guarded, REWARD, new Truncation.Full()), 0);
            assertTrue(at.outcome().loss() > without, "a LoRA that is not zero is penalised");
            double slope = bench.slope(() -> new AlignProp(guarded, REWARD, new Truncation.Full()), 0, MethodBench.unit(at.gradient()), 0.01);
            assertEquals(MethodBench.norm(at.gradient()), slope, 0.03 * slope);
        }
    }

    @Test void throughEdictsChainAlignPropsGradientIsTheSlopeOfItsLoss() throws IOException {
        try (MethodBench bench = new MethodBench(3, 5)) {
            Parts parts = bench.parts(REWARD, RAISE);
            MethodBench.Result at = bench.update(new AlignProp(parts, REWARD, new Truncation.Full()), 0);
            double slope = bench.slope(() -> new AlignProp(parts, REWARD, new Truncation.Full()), 0, MethodBench.unit(at.gradient()), 0.02);
            assertEquals(MethodBench.norm(at.gradient()), slope, 0.03 * slope);
        }
    }

    @Test void reflLeavesImagesBeyondItsMarginAlone() throws IOException {
        try (MethodBench bench = new MethodBench(2, 1, 1)) {
            MethodBench.Result at = bench.update(new Refl(bench.parts(REWARD, new RewardLoss.Hinge(-1, 1e-3)), REWARD), 0);
            assertEquals(0, at.outcome().loss());
            assertEquals(0, MethodBench.norm(at.gradient()));
        }
    }

    @Test void reflStopsInTheLastQuarter() {
        assertEquals(30, Refl.earliest(40), "of 40 steps, as upstream");
        assertEquals(0, Refl.earliest(1));
        assertEquals(2, Refl.earliest(3));
    }

    @Test void draftLvAveragesTheLastStepsGradientWithThoseOfRenoisedImages() throws IOException {
        try (MethodBench bench = new MethodBench(3, 5, 0)) {
            Parts parts = bench.parts(REWARD, RAISE);
            double[] last = bench.update(alignProp(parts, 2), 0).gradient();
            MethodBench.Result one = bench.update(new DraftLv(parts, REWARD, 1), 0);
            MethodBench.Result two = bench.update(new DraftLv(parts, REWARD, 2), 0);
            // g₁ = (last + a)/2 and g₂ = (last + a + b)/3, hence b = 3·g₂ − 2·g₁.
            double[] b = new double[last.length];
            double[] a = new double[last.length];
            for (int i = 0; i < b.length; i++) {
                a[i] = 2 * one.gradient()[i] - last[i];
                b[i] = 3 * two.gradient()[i] - 2 * one.gradient()[i];
            }
            double cosine = 0;
            double same = 0;
            for (int i = 0; i < b.length; i++) {
                cosine += a[i] * b[i] / MethodBench.norm(a) / MethodBench.norm(b);
                same = Math.max(same, Math.abs(a[i] - b[i]));
            }
            assertTrue(cosine > 0.3, "gradients of two renoisings point alike, cosine " + cosine);
            assertTrue(same > 1e-3 * MethodBench.norm(a), "each renoising has its own noise");
            assertArrayEquals(one.outcome().rewards(), two.outcome().rewards(), "rewards are those of the sampled images");
        }
    }

    @Test void microBatchesAddUpToTheSameGradient() throws IOException {
        try (MethodBench bench = new MethodBench(3, 5, 1)) {
            Parts parts = bench.parts(REWARD, RAISE);
            for (Method method : List.of(new DraftLv(parts, REWARD, 1), new DrTune(parts, REWARD, 2), new Refl(parts, REWARD))) {
                MethodBench.Result whole = bench.update(method, 4, 2);
                MethodBench.Result parted = bench.update(method, 4, 1);
                assertClose(whole.gradient(), parted.gradient(), 1e-4);
                assertEquals(whole.outcome().loss(), parted.outcome().loss(), 1e-5);
            }
        }
    }

    private static double mean(float... values) {
        double sum = 0;
        for (float v : values) {
            sum += v;
        }
        return sum / values.length;
    }
}
