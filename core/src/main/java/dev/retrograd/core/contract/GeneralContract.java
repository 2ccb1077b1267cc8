package dev.retrograd.core.contract;

import static dev.retrograd.core.testing.Claims.assertArrayEquals;
import static dev.retrograd.core.testing.Claims.assertEquals;
import static dev.retrograd.core.testing.Claims.assertThrows;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.contract.Twins.Twin;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Transfers, refusals, and that equal inputs give equal bits.
public interface GeneralContract extends Contract {

    @Case default void bytesComeBackAsTheyWentFromHeapAndNativeMemory() {
        for (DType dtype : DType.values()) {
            double[] values = new double[13];
            Arrays.setAll(values, i -> i);
            Twin x = twins().of(new Spec(Shape.of(13), dtype), values);
            assertArrayEquals(values, twins().values(x), dtype.name());
            Tensor t = x.tensors().getFirst();
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment unaligned = arena.allocate(t.spec().bytes() + 1).asSlice(1);
                twins().device().download(t, unaligned);
                twins().device().fill(t, 0);
                twins().device().upload(unaligned.asReadOnly(), t);
                assertArrayEquals(values, twins().values(x), dtype + " through unaligned native memory");
                assertThrows(IllegalArgumentException.class, () -> twins().device().upload(unaligned.asSlice(1), t), "upload of too few bytes");
                assertThrows(IllegalArgumentException.class, () -> twins().device().download(t, arena.allocate(1000)), "download into too many bytes");
            }
        }
    }

    @Case default void sixteenBitAndDoubleValuesAreReadAsFloats() {
        twins().allocatesElsewhere();
        for (DType dtype : new DType[] {DType.F64, DType.F32, DType.F16, DType.BF16}) {
            Twin x = twins().of(new Spec(Shape.of(2, 2), dtype), 1, -2.5, 0, 96);
            long live = twins().device().memory().liveBytes();
            assertArrayEquals(new float[] {1, -2.5f, 0, 96}, twins().device().toFloats(x.tensors().getFirst()), dtype.name());
            assertEquals(live, twins().device().memory().liveBytes(), "live bytes after toFloats of " + dtype);
        }
    }

    @Case default void tensorsOfAnotherBackendAndFreedOnesAreRefused() {
        twins().allocatesElsewhere();
        try (PlanBackend other = new PlanBackend("other", 0)) {
            Tensor foreign = other.empty("foreign", Spec.f32(3));
            assertThrows(IllegalArgumentException.class, () -> twins().device().fill(foreign, 0), "fill of another backend's");
        }
        Tensor dead;
        try (Scope _ = twins().device().memory().open("inner")) {
            dead = twins().device().empty("dead", Spec.f32(3));
        }
        IllegalStateException e = assertThrows(IllegalStateException.class, () -> twins().device().fill(dead, 0), "fill of a freed one");
        assertEquals("memory: 'dead' used after it was freed by the end of scope 'inner'", e.getMessage(), "fill of a freed one");
    }

    @Case default void equalInputsGiveEqualBits() {
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
