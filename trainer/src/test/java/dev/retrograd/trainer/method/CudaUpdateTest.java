package dev.retrograd.trainer.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.ArenaPlan;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.Lifetimes;
import dev.retrograd.core.OutOfMemoryException;
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
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The gradients of a whole AlignProp update in bf16, through the CUDA backend on the PTX emulator: as planned in memory, live and reserved, and no further
/// from float32 than the naive computation that rounds wherever bf16 does.
class CudaUpdateTest {
    private static final long DEVICE_BYTES = 64L << 20;
    private static final int STEPS = 2;
    private static final SamplerSettings SETTINGS = new SamplerSettings(STEPS, 5, 0, 64, 64, "");
    /// Of error against float32, beside the naive computation's.
    private static final double ALLOWED = 2;

    /// Bytes before the pass and at most during it, those of the block that its tensors lay in, how many did not, and every LoRA matrix's gradient.
    private record Pass(long before, long peak, long block, long elsewhere, List<double[]> gradients) {
        double[] all() {
            return gradients.stream().flatMapToDouble(Arrays::stream).toArray();
        }
    }

    private static Pass differentiate(Backend backend) throws IOException {
        return differentiate(backend, Optional.empty());
    }

    /// @param places of the tensors in one block
    private static Pass differentiate(Backend backend, Optional<ArenaPlan> places) throws IOException {
        try (StableDiffusion model = StableDiffusion.load(backend, Golden.path("ci-sd/model"));
                LoraWeights lora = LoraWeights.of(model, LoraFile.read(Golden.path("ci-alignprop/lora"), OptionalDouble.empty()), 1);
                JpegCompressibility reward = new JpegCompressibility(backend, FileSizeGoal.SMALLER);
                Gradients gradients = new Gradients(backend);
                Scope _ = backend.memory().open("update")) {
            long before = backend.memory().liveBytes();
            backend.memory().resetPeak();
            Truncation last = new Truncation.Fixed(1);
            AlignProp method = new AlignProp(new Parts(model, SETTINGS.chain(model), reward, new RewardLoss.Maximise(), AlignProp.RECOMPUTE_OUTERMOST), reward, last);
            places.ifPresent(p -> backend.memory().replay(MicroBatch.SCOPE, p));
            try (Scope _ = backend.memory().open(MicroBatch.SCOPE)) {
                Batch batch = new Sampler(model, SETTINGS).batch(List.of("cat"), new ChainNoise.Keyed(1, 0, SETTINGS.latentShape(model)), 0);
                method.differentiate(batch, last.draw(new RandomStream(0), STEPS), 1, false, gradients, _ -> { }, _ -> { });
            }
            long peak = backend.memory().peakBytes();
            long elsewhere = backend.memory().endReplay();
            long reserved = backend.reservedBytes();
            backend.memory().releaseArena();
            long block = reserved - backend.reservedBytes();
            List<double[]> values = new ArrayList<>();
            if (backend.computes()) {
                lora.parameters().forEach(p -> values.add(Close.widened(backend.toFloats(gradients.of(p).orElseThrow()))));
            }
            return new Pass(before, peak, block, elsewhere, values);
        }
    }

    /// An update on the shape-only backend, and where its tensors lie in one block.
    private record Planned(Pass pass, ArenaPlan places) {
    }

    private static Planned plan(long workspace) throws IOException {
        try (PlanBackend plan = new PlanBackend("cuda:0", workspace, Precision.BF16)) {
            Lifetimes lifetimes = new Lifetimes(MicroBatch.SCOPE);
            plan.memory().observe(lifetimes);
            return new Planned(differentiate(plan), lifetimes.plans().getFirst());
        }
    }

    @Test void anUpdateThatDoesNotFitNamesTheSegmentAndWhatToChange() throws IOException {
        long workspace;
        try (CudaBackend cuda = new CudaBackend(new EmulatedDriver(DEVICE_BYTES).lazy(), Precision.BF16)) {
            workspace = cuda.workspaceBytes();
        }
        Planned planned = plan(workspace);
        long middle = workspace + (planned.pass().before() + planned.pass().peak()) / 2;
        String segment = assertDoesNotFit(middle, Optional.empty());
        assertTrue(segment.startsWith("cuda:0 > update > micro-batch > "), segment);
        assertEquals("cuda:0 > update > micro-batch", assertDoesNotFit(middle, Optional.of(planned.places())));
    }

    /// @return the segment that is named
    private static String assertDoesNotFit(long bytes, Optional<ArenaPlan> places) {
        EmulatedDriver small = new EmulatedDriver(bytes);
        String message;
        try (CudaBackend cuda = new CudaBackend(small, Precision.BF16)) {
            message = assertThrows(OutOfMemoryException.class, () -> differentiate(cuda, places)).getMessage();
            assertEquals(0, cuda.memory().liveBytes(), "live bytes after the failure");
        }
        assertEquals(0, small.allocations());
        Matcher said = Pattern.compile("(.*): no room for '.+': \\d+ bytes asked for, \\d+ live, \\d+ free of " + bytes
                + "; lower --micro-batch-size, --memory, the differentiated steps \\(--truncation\\) or the image size").matcher(message);
        assertTrue(said.matches(), message);
        return said.group(1);
    }

    @Test void anUpdateInBfloat16TakesTheMemoryOfItsPlanAndIsAsNearToFloat32AsRoundingAllows() throws IOException {
        Pass device;
        EmulatedDriver driver = new EmulatedDriver(DEVICE_BYTES).lazy();
        try (CudaBackend cuda = new CudaBackend(driver, Precision.BF16)) {
            Planned planned = plan(cuda.workspaceBytes());
            device = differentiate(cuda, Optional.of(planned.places()));
            assertEquals(0, cuda.memory().liveBytes());
            assertEquals(planned.pass().before(), device.before(), "live bytes before the update, planned and actual");
            assertEquals(planned.pass().peak(), device.peak(), "peak bytes of the update, planned and actual");
            assertEquals(planned.places().bytes(), device.block(), "reserved bytes for the update's tensors, planned and actual");
            assertEquals(0, device.elsewhere(), "tensors that the plan has no place for");
        }
        assertEquals(0, driver.allocations());
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
