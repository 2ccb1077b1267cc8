package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Precision;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.reference.RoundingBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.cuda.CudaBackend;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.diffusion.Truncation;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

/// The gradients of a whole AlignProp update in bf16, through the CUDA backend on the PTX emulator: as planned in memory, and no further from float32 than
/// the naive computation that rounds wherever bf16 does.
class CudaUpdateTest {
    private static final long DEVICE_BYTES = 64L << 20;
    private static final int STEPS = 2;
    private static final SamplerSettings SETTINGS = new SamplerSettings(STEPS, 5, 0, 64, 64, "");
    /// Of error against float32, beside the naive computation's.
    private static final double ALLOWED = 2;

    /// Bytes before the pass and at most during it, and every LoRA matrix's gradient.
    private record Pass(long before, long peak, List<double[]> gradients) {
        double[] all() {
            return gradients.stream().flatMapToDouble(Arrays::stream).toArray();
        }
    }

    private static Pass differentiate(Backend backend) throws IOException {
        try (StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"));
                LoraWeights lora = LoraWeights.of(model, LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.empty()), 1);
                JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
                Gradients gradients = new Gradients(backend);
                Scope _ = backend.memory().open("update")) {
            long before = backend.memory().liveBytes();
            backend.memory().resetPeak();
            Truncation last = new Truncation.Fixed(1);
            AlignProp method = new AlignProp(new Parts(model, SETTINGS.chain(model), reward, new RewardLoss.Maximise(), AlignProp.RECOMPUTE_OUTERMOST), reward, last);
            try (Scope _ = backend.memory().open("micro-batch")) {
                Batch batch = new Sampler(model, SETTINGS).batch(List.of("cat"), new ChainNoise.Keyed(1, 0, SETTINGS.latentShape(model)), 0);
                method.differentiate(batch, last.draw(new RandomStream(0), STEPS), 1, false, gradients, _ -> { }, _ -> { });
            }
            long peak = backend.memory().peakBytes();
            List<double[]> values = new ArrayList<>();
            if (backend.computes()) {
                lora.parameters().forEach(p -> values.add(Close.widened(backend.toFloats(gradients.of(p).orElseThrow()))));
            }
            return new Pass(before, peak, values);
        }
    }

    @Test void anUpdateInBfloat16TakesTheMemoryOfItsPlanAndIsAsNearToFloat32AsRoundingAllows() throws IOException {
        Pass device;
        long workspace;
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES);
        try (CudaBackend cuda = new CudaBackend(driver, Precision.BF16)) {
            workspace = cuda.workspaceBytes();
            device = differentiate(cuda);
            assertEquals(0, cuda.memory().liveBytes());
        }
        assertEquals(0, driver.allocations());
        try (PlanBackend plan = new PlanBackend("cuda:0", workspace, Precision.BF16)) {
            Pass planned = differentiate(plan);
            assertEquals(planned.before(), device.before(), "live bytes before the update, planned and actual");
            assertEquals(planned.peak(), device.peak(), "peak bytes of the update, planned and actual");
        }
        double[] exact;
        try (CpuBackend cpu = new CpuBackend()) {
            exact = differentiate(cpu).all();
        }
        double rounded;
        try (Backend naive = RoundingBackend.of(ReferenceBackend.float32(), DType.BF16)) {
            rounded = Close.relativeL2(exact, differentiate(naive).all());
        }
        double error = Close.relativeL2(exact, device.all());
        assertTrue(rounded > 1e-4 && rounded < 0.5, "the naive computation rounds, and is no noise: " + rounded);
        assertTrue(error <= ALLOWED * rounded, "relative error " + error + " of the gradients, of the naive computation's " + rounded);
    }
}
