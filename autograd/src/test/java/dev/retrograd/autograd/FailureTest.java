package dev.retrograd.autograd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.reference.ReferenceBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whatever breaks in the middle, nothing leaks and no part of a gradient is taken for one.
class FailureTest {

    /// The identity, which fails at its n-th call forwards or backwards.
    private static final class Trap implements Op<Op.Nothing> {
        private final int failing;
        private int calls;

        Trap(int failing) {
            this.failing = failing;
        }

        @Override public Spec out(Spec... in) {
            return in[0];
        }

        @Override public Out<Nothing> forward(Backend b, Needs needs, Tensor... in) {
            return new Out<>(call(b, in[0]), null);
        }

        @Override public Tensor[] backward(Backend b, Nothing s, Tensor dy, Needs needs) {
            return new Tensor[] {call(b, dy)};
        }

        private Tensor call(Backend b, Tensor x) {
            Tensor y = b.scaled(x, 1);
            if (++calls == failing) {
                throw new UnsupportedOperationException("call " + calls);
            }
            return y;
        }
    }

    /// An operator of one input with the given backward.
    private record Wrong(Spec y, Tensor... dx) implements Op<Op.Nothing> {
        @Override public Spec out(Spec... in) {
            return in[0];
        }

        @Override public Out<Nothing> forward(Backend b, Needs needs, Tensor... in) {
            return new Out<>(b.zeros("y", y), null);
        }

        @Override public Tensor[] backward(Backend b, Nothing s, Tensor dy, Needs needs) {
            return dx;
        }
    }

    /// Keeps tensors where the tape does not look for them.
    private record Hiding() implements Op<Hiding.Saved> {
        record Saved(Tensor[] all) {
        }

        @Override public Spec out(Spec... in) {
            return in[0];
        }

        @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
            return new Out<>(b.scaled(in[0], 2), new Saved(in));
        }

        @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
            return new Tensor[] {dy};
        }
    }

    /// Runs forward three times (once per segment and again when recomputed) and backward three times.
    private static void chain(Segment.Retention retention, int failing) {
        try (ReferenceBackend b = new ReferenceBackend()) {
            try (Gradients gradients = new Gradients(b)) {
                Trap trap = new Trap(failing);
                assertThrows(UnsupportedOperationException.class, () -> {
                    try (Scope _ = b.memory().open("update"); Tape tape = new Tape(b, _ -> retention)) {
                        Var x = tape.input(b.doubles("x", Shape.of(3), 1, 2, 3));
                        Var y = x;
                        for (int i = 0; i < 3; i++) {
                            y = tape.segment1("outer " + i, in -> tape.segment("inner", v -> new Var[] {v[0].apply(Unary.EXP).apply(trap), v[0]}, in)[0].plus(in[0]), y);
                        }
                        tape.backward(y, b.doubles("dy", Shape.of(3), 1, 1, 1), gradients);
                    }
                });
                assertEquals(failing, trap.calls, "calls");
                assertTrue(gradients.parameters().isEmpty(), "no parameters");
                assertEquals(0, b.memory().liveBytes(), "live bytes after the update's scope");
                assertEquals("reference", b.memory().current().name(), "open scope");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void nothingLeaksWhenAStoredChainFails(int call) {
        chain(Segment.Retention.STORE, call);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void nothingLeaksWhenARecomputedChainFails(int call) {
        chain(Segment.Retention.RECOMPUTE, call);
    }

    @Test void operatorsThatBreakTheirPromiseAreNamed() {
        try (ReferenceBackend b = new ReferenceBackend(); Gradients gradients = new Gradients(b); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var x = tape.input(b.floats("x", Shape.of(2), 1, 2));
            Tensor dy = b.floats("dy", Shape.of(2), 1, 2);
            assertRefused("wrong: forward must give the [2] F32 that it declares, got [3] F32", () -> x.apply(new Wrong(Spec.f32(3))));
            Spec right = x.spec();
            assertRefused("wrong: backward must give 1 gradients, got 0", () -> tape.backward(x.apply(new Wrong(right)), dy, gradients));
            assertRefused("wrong: backward must give a gradient for input 0, 'x' [2] F32 requires grad, got none",
                    () -> tape.backward(x.apply(new Wrong(right, (Tensor) null)), dy, gradients));
            assertRefused("wrong: the gradient of input 0 must be [2], got [1]",
                    () -> tape.backward(x.apply(new Wrong(right, b.floats("dx", Shape.of(1), 1))), dy, gradients));
            assertTrue(gradients.of(x).isEmpty(), "no gradient after a failure");
            assertRefused("saved record " + Hiding.Saved.class.getName() + ": its tensors must be components of type Tensor, got Tensor[] all, "
                    + "which nothing would keep alive", () -> x.apply(new Hiding()));
            Var[] many = new Var[65];
            java.util.Arrays.fill(many, x);
            assertEquals("operator: takes at most 64 inputs, got 65",
                    assertThrows(IllegalArgumentException.class, () -> tape.apply(new dev.retrograd.autograd.op.Concat(0), many)).getMessage());
        }
    }

    @Test void aSegmentMustComputeTheSameWhenItRunsAgain() {
        try (ReferenceBackend b = new ReferenceBackend(); Gradients gradients = new Gradients(b); Tape tape = new Tape(b, Segment.Policy.RECOMPUTE_ALL)) {
            Var x = tape.input(b.floats("x", Shape.of(2), 1, 2));
            int[] runs = {0};
            Var y = tape.segment("fickle", in -> runs[0]++ == 0 ? in : new Var[] {in[0], in[0]}, x)[0];
            Tensor dy = b.floats("dy", Shape.of(2), 1, 2);
            assertRefused("segment 'fickle': must give [[2] F32] each time that it runs, got [[2] F32, [2] F32]", () -> tape.backward(y, dy, gradients));
            try (Parameter w = new Parameter("w", b.floats("w", Shape.of(2), 3, 4), true)) {
                Var z = tape.segment1("frozen later", _ -> tape.parameter(w).apply(Unary.EXP));
                w.trainable(false);
                assertRefused("segment 'frozen later': result 0 must depend on what requires a gradient each time that it runs, got 'exp' [2] F32; "
                        + "nothing may be frozen between forward and backward", () -> tape.backward(z, dy, gradients));
            }
        }
    }

    private static void assertRefused(String message, Runnable code) {
        assertEquals(message, assertThrows(IllegalStateException.class, code::run).getMessage());
    }
}
