package dev.retrograd.trainer.check;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.Claims;
import dev.retrograd.trainer.pretrain.RandomModel;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;

/// One denoising step of a whole UNet with seeded random weights and a LoRA, forward and backward: that it runs, is finite, repeats bit for bit, and takes
/// the memory that a plan says.
public final class UNetCheck {
    private static final double NANOS = 1e9;
    private static final double GIB = 1 << 30;
    private static final float TIMESTEP = 500;
    private static final int TOKENS = 77;

    private UNetCheck() {
    }

    /// Results of a pass, and what it took.
    private record Pass(float[] noise, float[] latentGradient, long peak, double forward, double backward) {
    }

    /// @return times and peak of the second of two passes
    /// @throws AssertionError if a result is not finite, the passes differ, or the peak is not the plan's
    public static String run(Backend backend, RandomModel.Arch arch) {
        try (StableDiffusion model = StableDiffusion.load(backend, RandomModel.files(arch, 0, ModelFiles.Options.NONE), ModelFiles.Options.NONE)) {
            pass(model);
            Pass first = pass(model);
            Pass second = pass(model);
            for (float[] values : new float[][] {first.noise(), first.latentGradient()}) {
                for (float v : values) {
                    Claims.assertTrue(Float.isFinite(v), "UNet: finite results are required, got " + v);
                }
            }
            Claims.assertArrayEquals(first.noise(), second.noise(), "UNet: the same noise from two passes");
            Claims.assertArrayEquals(first.latentGradient(), second.latentGradient(), "UNet: the same gradient from two passes");
            long planned = planned(backend, arch);
            Claims.assertEquals(planned, second.peak(), "UNet: peak bytes as planned");
            return String.format(Locale.ROOT, "forward %.4f s, backward %.4f s, peak of tensors %.3f GiB as planned", second.forward(), second.backward(), second.peak() / GIB);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long planned(Backend backend, RandomModel.Arch arch) throws IOException {
        try (PlanBackend plan = new PlanBackend(backend.name(), backend.workspaceBytes(), backend.precision())) {
            plan.readZeros();
            ModelFiles files = ModelFiles.shapes(arch.name().toLowerCase(Locale.ROOT), arch::describe, ModelFiles.Options.NONE);
            try (StableDiffusion model = StableDiffusion.shapes(plan, files, ModelFiles.Options.NONE)) {
                return pass(model).peak();
            }
        }
    }

    private static Pass pass(StableDiffusion model) {
        Backend b = model.backend();
        int size = model.unet().config().sampleSize();
        Shape latent = Shape.of(1, size, size, model.unet().config().inChannels());
        Shape context = Shape.of(1, TOKENS, model.unet().config().contextChannels());
        RandomStream random = new RandomStream(1);
        b.synchronize();
        b.memory().resetPeak();
        try (LoraWeights _ = LoraWeights.fresh(b, model.unet(), new LoraConfig(4, 4, LoraConfig.ATTENTION), 0);
                Scope _ = b.memory().open("pass");
                Tape tape = new Tape(b, Segment.Policy.STORE_ALL);
                Gradients gradients = new Gradients(b)) {
            Var x = tape.input(b.floats("latent", latent, random.randn((int) latent.elements())));
            Var text = tape.constant(b.floats("context", context, random.randn((int) context.elements())));
            Tensor dy = b.floats("dy", latent, random.randn((int) latent.elements()));
            long start = System.nanoTime();
            Var noise = model.unet().forward(x, text, TIMESTEP);
            b.synchronize();
            long middle = System.nanoTime();
            float[] values = b.toFloats(noise.value());
            long again = System.nanoTime();
            tape.backward(noise, dy, gradients);
            b.synchronize();
            long end = System.nanoTime();
            return new Pass(values, b.toFloats(gradients.of(x).orElseThrow()), b.memory().peakBytes(), (middle - start) / NANOS, (end - again) / NANOS);
        }
    }
}
