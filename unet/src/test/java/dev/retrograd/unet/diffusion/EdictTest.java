package dev.retrograd.unet.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Golden;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

class EdictTest {
    private static final int STEPS = 10;
    private static final int VALUES = 2 * 8 * 8 * 4;

    private static double[] doubles(Backend b, Var v) {
        double[] all = new double[VALUES];
        b.download(v.value(), MemorySegment.ofArray(all));
        return all;
    }

    private static double largest(double[] a, double... b) {
        double most = 0;
        for (int i = 0; i < a.length; i++) {
            double d = Math.abs(a[i] - b[i]);
            if (!(d <= most)) {
                most = d;
            }
        }
        return most;
    }

    private static Tensor pair(Backend b, long seed) {
        Tensor t = b.empty("latent", new Spec(Shape.of(2, 8, 8, 4), DType.F64));
        b.upload(MemorySegment.ofArray(new RandomStream(seed).randnDouble(VALUES)), t);
        return t;
    }

    /// A pair that differs, through the whole chain and back.
    @Test void theChainIsUndoneExactlyButForRounding() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"))) {
            try (Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                Edict edict = new Edict(new DdimChain(model.unet(), model.schedule().ddim(STEPS), new Guidance(5), 0), Edict.MIX);
                Var context = tape.constant(model.encodeText(model.tokenize(List.of("", "", "cat", "dog"))));
                Edict.Pair start = new Edict.Pair(tape.constant(pair(b, 1)), tape.constant(pair(b, 2)));
                Edict.Pair pair = start;
                for (int i = 0; i < STEPS; i++) {
                    pair = edict.step(i, pair, context, false);
                }
                double moved = largest(doubles(b, start.x()), doubles(b, pair.x()));
                for (int i = STEPS - 1; i >= 0; i--) {
                    pair = edict.inverse(i, pair, context);
                }
                double error = Math.max(largest(doubles(b, start.x()), doubles(b, pair.x())), largest(doubles(b, start.y()), doubles(b, pair.y())));
                assertTrue(moved > 0.1, "the chain moves the latent, by " + moved);
                assertTrue(error < 1e-10, "round trip error " + error);
            }
        }
    }

    /// Without mixing and from one latent, the first step of both is DDIM's.
    @Test void oneUnmixedStepIsDdims() throws IOException {
        try (CpuBackend b = new CpuBackend(); StableDiffusion model = StableDiffusion.load(b, Golden.path("ci-sd/model"))) {
            try (Scope _ = b.memory().open("test"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
                DdimChain chain = new DdimChain(model.unet(), model.schedule().ddim(STEPS), new Guidance(5), 0);
                Var context = tape.constant(model.encodeText(model.tokenize(List.of("", "", "cat", "dog"))));
                Var x = tape.constant(b.floats("x", Shape.of(2, 8, 8, 4), new RandomStream(1).randn(VALUES)));
                float[] ddim = b.toFloats(chain.advance(0, x, chain.predict(0, x, context), _ -> x).value());
                double[] coupled = doubles(b, new Edict(chain, 1).step(0, Edict.Pair.of(x), context, false).x());
                for (int i = 0; i < ddim.length; i++) {
                    assertEquals(ddim[i], coupled[i], 1e-5 * (1 + Math.abs(ddim[i])));
                }
            }
        }
    }

    @Test void aShareThatCannotBeUndoneIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Edict(null, 0));
        assertThrows(IllegalArgumentException.class, () -> new Edict(null, Double.NaN));
    }
}
