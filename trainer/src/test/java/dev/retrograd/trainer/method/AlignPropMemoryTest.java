package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Golden;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a whole update takes is known before it runs: the shape-only backend and the CPU agree to the byte.
class AlignPropMemoryTest {
    private static final SamplerSettings SETTINGS = new SamplerSettings(3, 5, 0, 64, 72, "blurred");

    /// Live bytes: before the pass, at most during it, and after it, when only model, LoRA and gradients are left.
    private record Bytes(long before, long peak, long after, long gradients) {
    }

    private static Bytes measure(Backend backend, Segment.Policy policy, int k) throws IOException {
        try (StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"));
                LoraWeights lora = LoraWeights.fresh(backend, model.unet(), new LoraConfig(4, 4, LoraConfig.ATTENTION), 0);
                JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
                Gradients gradients = new Gradients(backend);
                Scope _ = backend.memory().open("update")) {
            long before = backend.memory().liveBytes();
            backend.memory().resetPeak();
            AlignProp method = new AlignProp(new Parts(model, SETTINGS.chain(model), reward, new RewardLoss.Maximise(), policy), reward, new Truncation.Fixed(k));
            ChainNoise noise = new ChainNoise.Keyed(1, 0, SETTINGS.latentShape(model));
            try (Scope _ = backend.memory().open("micro-batch")) {
                Batch batch = new Sampler(model, SETTINGS).batch(List.of("cat", "dog"), noise, 0);
                method.differentiate(batch, new Truncation.Fixed(k).draw(new RandomStream(0), 3), 0.5, false, gradients, _ -> { }, _ -> { });
            }
            long held = lora.parameters().stream().mapToLong(p -> gradients.of(p).orElseThrow().storage().bytes()).sum();
            return new Bytes(before, backend.memory().peakBytes(), backend.memory().liveBytes(), held);
        }
    }

    @ParameterizedTest
    @CsvSource({"true,1", "true,3", "false,2"})
    void peakIsThePlansAndAfterwardsOnlyGradientsAreLeft(boolean recompute, int k) throws IOException {
        Segment.Policy policy = recompute ? AlignProp.RECOMPUTE_OUTERMOST : Segment.Policy.STORE_ALL;
        try (CpuBackend cpu = new CpuBackend(); PlanBackend plan = new PlanBackend("cpu", cpu.workspaceBytes())) {
            Bytes measured = measure(cpu, policy, k);
            assertEquals(measure(plan, policy, k), measured);
            assertEquals(measured.before() + measured.gradients(), measured.after());
            assertEquals(0, cpu.memory().liveBytes());
            assertTrue(plan.totalCost().flops() > 0);
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "3"})
    void recomputingHoldsNoMoreForMoreSteps(int k) throws IOException {
        try (PlanBackend plan = new PlanBackend("cpu", 0)) {
            long one = measure(plan, AlignProp.RECOMPUTE_OUTERMOST, 1).peak();
            long more = measure(plan, AlignProp.RECOMPUTE_OUTERMOST, k).peak();
            // Each further step keeps its latent, 2·4·9·8 float32, and a gradient of it; never its activations.
            assertTrue(more - one <= (k - 1) * 4L * 2 * 4 * 9 * 8 * 4, "peak with K " + k + " is " + more + ", with K 1 " + one);
        }
    }
}
