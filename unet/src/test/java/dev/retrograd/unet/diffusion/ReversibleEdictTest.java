package dev.retrograd.unet.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Golden;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReversibleEdictTest {
    private static final Shape LATENTS = Shape.of(2, 8, 8, 4);

    private static DdimChain chain(StableDiffusion model, int steps, OptionalDouble mix) {
        return new DdimChain(model.unet(), model.schedule().ddim(steps), new Guidance(5), 0, mix);
    }

    private static Tensor latent(Backend b, long seed) {
        return b.floats("x", LATENTS, new RandomStream(seed).randn(Math.toIntExact(LATENTS.elements())));
    }

    private static Tensor context(StableDiffusion model) {
        return model.encodeText(model.tokenize(List.of("", "", "cat", "dog")));
    }

    /// The gradient of `Σ slope·clean` through the chain on one tape, which stores every step.
    private static float[] stored(Backend b, DdimChain chain, Tensor latent, Tensor context, Tensor slope) {
        BitSet all = new BitSet();
        all.set(0, chain.schedule().steps());
        try (Tape tape = new Tape(b, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(b)) {
            Var x = tape.input(latent);
            Var clean = chain.run(x, tape.constant(context), all, _ -> x, _ -> { }).last();
            tape.backward(clean.times(tape.constant(slope)).apply(SumTo.all()), gradients);
            return b.toFloats(gradients.of(x).orElseThrow());
        }
    }

    private static double norm(float... v) {
        return Math.sqrt(IntStream.range(0, v.length).mapToDouble(i -> (double) v[i] * v[i]).sum());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7})
    void itsGradientIsThatOfTheStoredChain(int steps) throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model")); Scope _ = b.memory().open("test")) {
            DdimChain chain = chain(model, steps, OptionalDouble.of(Edict.MIX));
            Tensor x = latent(b, 1);
            Tensor context = context(model);
            Tensor slope = latent(b, 2);
            float[] expected = stored(b, chain, x, context, slope);
            float[] clean = new float[expected.length];
            List<Integer> heard = new ArrayList<>();
            float[] actual = b.toFloats(chain.reversible().gradient(b, x, context, Segment.Policy.STORE_ALL, c -> {
                System.arraycopy(b.toFloats(c), 0, clean, 0, clean.length);
                return slope;
            }, heard::add));
            assertEquals(IntStream.range(0, 2 * steps).boxed().toList(), heard);
            try (Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                float[] sampled = b.toFloats(tape.unrecorded(() -> chain.run(tape.constant(x), tape.constant(context), new BitSet(), _ -> null, _ -> { }).last()).value());
                assertTrue(norm(difference(sampled, clean)) <= 1e-6 * norm(sampled), "the image is the sampler's");
            }
            // Undone latents differ from stored ones by float64 rounding, which moves some of the UNet's float32 inputs by one digit.
            double error = norm(difference(expected, actual)) / norm(expected);
            assertTrue(error <= 2e-6, "relative error " + error);
        }
    }

    private static float[] difference(float[] a, float... b) {
        float[] d = new float[a.length];
        for (int i = 0; i < d.length; i++) {
            d[i] = a[i] - b[i];
        }
        return d;
    }

    private static long peak(int steps, boolean undone) throws IOException {
        try (PlanBackend b = new PlanBackend("cpu", 0); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model")); Scope _ = b.memory().open("test")) {
            b.readZeros();
            DdimChain chain = chain(model, steps, OptionalDouble.of(Edict.MIX));
            Tensor x = latent(b, 1);
            Tensor context = context(model);
            b.memory().resetPeak();
            if (undone) {
                chain.reversible().gradient(b, x, context, Segment.Policy.STORE_ALL, c -> c, _ -> { });
            } else {
                stored(b, chain, x, context, x);
            }
            return b.memory().peakBytes();
        }
    }

    @Test void itsMemoryDoesNotGrowWithTheSteps() throws IOException {
        assertEquals(peak(2, true), peak(30, true));
        assertTrue(peak(4, false) > 2 * peak(2, true), "as that of a stored chain does");
    }

    @Test void ddimsChainCannotBeUndone() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"))) {
            assertThrows(IllegalStateException.class, () -> chain(model, 2, OptionalDouble.empty()).reversible());
        }
    }
}
