package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.Twins.Twin;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// What every backend must fulfil: each kernel of {@link Backend} against the float64 reference, on odd sizes and the models' shapes, in place,
/// through views and with 16-bit weights; no allocation inside kernels; live and peak bytes as planned; equal bits on every run.
///
/// Extend it once per backend and type of activations ({@link ContractBase#activations()}); one interface per family of kernels holds the cases.
public abstract class BackendContract extends ContractBase implements ElementwiseContract, ReductionContract, MatrixContract, ConvolutionContract, AttentionContract,
        NormContract, ShapeContract, ImageContract, OptimizerContract, RandomContract {
    @Test void bytesComeBackAsTheyWentFromHeapAndNativeMemory() {
        for (DType dtype : DType.values()) {
            double[] values = new double[13];
            Arrays.setAll(values, i -> i);
            Twin x = twins().of(new Spec(Shape.of(13), dtype), values);
            assertArrayEquals(values, twins().values(x), dtype.name());
            Tensor t = x.tensors().getFirst();
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment unaligned = arena.allocate(t.spec().bytes() + 1).asSlice(1);
                backend().download(t, unaligned);
                backend().fill(t, 0);
                backend().upload(unaligned.asReadOnly(), t);
                assertArrayEquals(values, twins().values(x), dtype + " through unaligned native memory");
                assertThrows(IllegalArgumentException.class, () -> backend().upload(unaligned.asSlice(1), t), "upload of too few bytes");
                assertThrows(IllegalArgumentException.class, () -> backend().download(t, arena.allocate(1000)), "download into too many bytes");
            }
        }
    }

    @Test void sixteenBitAndDoubleValuesAreReadAsFloats() {
        twins().allocatesElsewhere();
        for (DType dtype : new DType[] {DType.F64, DType.F32, DType.F16, DType.BF16}) {
            Twin x = twins().of(new Spec(Shape.of(2, 2), dtype), 1, -2.5, 0, 96);
            long live = backend().memory().liveBytes();
            assertArrayEquals(new float[] {1, -2.5f, 0, 96}, backend().toFloats(x.tensors().getFirst()), dtype.name());
            assertEquals(live, backend().memory().liveBytes(), "live bytes after toFloats of " + dtype);
        }
    }

    @Test void tensorsOfAnotherBackendAndFreedOnesAreRefused() {
        twins().allocatesElsewhere();
        try (PlanBackend other = new PlanBackend("other", 0)) {
            Tensor foreign = other.empty("foreign", Spec.f32(3));
            assertThrows(IllegalArgumentException.class, () -> backend().fill(foreign, 0));
        }
        Tensor dead;
        try (Scope _ = backend().memory().open("inner")) {
            dead = backend().empty("dead", Spec.f32(3));
        }
        IllegalStateException e = assertThrows(IllegalStateException.class, () -> backend().fill(dead, 0));
        assertEquals("memory: 'dead' used after it was freed by the end of scope 'inner'", e.getMessage());
    }

    @Test void equalInputsGiveEqualBits() {
        Twin x = twins().normal(2, 13, 11, 64);
        Twin rows = x.view(t -> t.reshape(2, 143, 64));
        Twin w = twins().normal(130, 64);
        Twin gamma = twins().single(64);
        Twin dy = twins().normal(2, 13, 11, 64);
        Twin dyRows = dy.view(t -> t.reshape(2, 143, 64));
        ConvSpec conv = ConvSpec.square(3, 1, 1);
        AttentionSpec heads = new AttentionSpec(4, 0.25, false);
        byte[][] first = null;
        for (int run = 0; run < 3; run++) {
            Twin y = twins().output(2, 143, 130);
            Twin sum = twins().singleOutput(64);
            Twin mean = twins().singleOutput(2, 8);
            Twin rstd = twins().singleOutput(2, 8);
            Twin normed = twins().outputLike(x);
            Twin dw = twins().singleOutput(64, 3, 3, 64);
            Twin attended = twins().outputLike(rows);
            Twin lse = twins().singleOutput(2, 4, 143);
            Twin delta = twins().singleOutput(2, 4, 143);
            Twin dq = twins().outputLike(rows);
            Twin dk = twins().outputLike(rows);
            Twin dv = twins().outputLike(rows);
            twins().run(s -> {
                s.b().linear(s.of(rows), s.of(w), s.of(y));
                s.b().sumTo(s.of(x), 1, s.of(sum));
                s.b().groupNormSilu(8, 1e-5, s.of(x), s.of(gamma), s.of(gamma), s.of(normed), s.of(mean), s.of(rstd));
                s.b().conv2dBackwardWeight(conv, s.of(x), s.of(dy), s.of(dw));
                s.b().attention(heads, s.of(rows), s.of(rows), s.of(rows), s.of(attended), s.of(lse));
                s.b().attentionBackward(heads, s.of(rows), s.of(rows), s.of(rows), s.of(attended), s.of(lse), s.of(dyRows), s.of(delta), s.of(dq), s.of(dk), s.of(dv));
            });
            byte[][] bits = {twins().bits(y), twins().bits(sum), twins().bits(normed), twins().bits(dw), twins().bits(attended), twins().bits(dq), twins().bits(dk), twins().bits(dv)};
            if (first == null) {
                first = bits;
            }
            for (int i = 0; i < bits.length; i++) {
                assertArrayEquals(first[i], bits[i], "result " + i + " of run " + run);
            }
        }
    }
}
