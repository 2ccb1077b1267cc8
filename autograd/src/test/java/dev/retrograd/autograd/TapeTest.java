package dev.retrograd.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Segment.Policy;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TapeTest {
    private final ReferenceBackend b = new ReferenceBackend();
    private final Gradients gradients = new Gradients(b);
    private final List<Parameter> parameters = new ArrayList<>();

    @AfterEach void everythingIsFreed() {
        gradients.close();
        parameters.forEach(Parameter::close);
        b.close();
        assertEquals(0, b.memory().liveBytes(), "live bytes when all is closed");
    }

    private Tensor tensor(String name, double... values) {
        return b.doubles(name, Shape.of(values.length), values);
    }

    private Parameter parameter(String name, boolean trainable, double... values) {
        try (Scope _ = b.memory().open("load")) {
            parameters.add(new Parameter(name, tensor(name, values), trainable));
            return parameters.getLast();
        }
    }

    private double[] gradient(Var leaf) {
        return b.toDoubles(gradients.of(leaf).orElseThrow());
    }

    private static void assertRefused(String message, Runnable code) {
        assertEquals(message, assertThrows(IllegalStateException.class, code::run).getMessage());
    }

    @Test void gradientSurvivesFanOut() {
        new GradientCheck(91).normal(5).check(v -> {
            Var h = v[0].apply(Unary.SILU);
            return h.times(h).plus(h.apply(Unary.EXP)).plus(v[0]).plus(h);
        });
    }

    @Test void gradientsOfSeveralPassesAddUp() {
        Parameter w = parameter("w", true, 2, 3);
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var x = tape.input(tensor("x", 5, 7));
            tape.backward(tape.parameter(w).times(x).apply(SumTo.all()), gradients);
            tape.backward(tape.parameter(w).times(x).apply(SumTo.all()), gradients);
            assertArrayEquals(new double[] {10, 14}, b.toDoubles(gradients.of(w).orElseThrow()));
            assertArrayEquals(new double[] {4, 6}, gradient(x));
            gradients.clear();
            assertTrue(gradients.of(w).isEmpty() && gradients.of(x).isEmpty() && gradients.parameters().isEmpty(), "cleared");
        }
    }

    @Test void frozenParametersGetNoGradient() {
        Parameter frozen = parameter("frozen", false, 2, 3);
        Parameter trained = parameter("trained", true, 5, 7);
        try (Tape tape = new Tape(b, Policy.RECOMPUTE_ALL)) {
            Var y = tape.segment1("product", _ -> tape.parameter(frozen).times(tape.parameter(trained)));
            tape.backward(y.apply(SumTo.all()), gradients);
            assertEquals(List.of(trained), List.copyOf(gradients.parameters()));
            assertArrayEquals(new double[] {2, 3}, b.toDoubles(gradients.of(trained).orElseThrow()));
        }
    }

    @Test void listsParametersInTheOrderOfTheFirstPass() {
        List<Parameter> made = new ArrayList<>();
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var sum = tape.constant(tensor("zero", 0));
            for (int i = 0; i < 20; i++) {
                made.add(parameter("p" + i, true, i));
                sum = sum.plus(tape.parameter(made.getLast()));
            }
            tape.backward(sum, gradients);
        }
        assertEquals(made.reversed(), List.copyOf(gradients.parameters()));
    }

    @ParameterizedTest
    @EnumSource(Segment.Retention.class)
    void anInputMayBePassedThroughOrReturnedTwice(Segment.Retention retention) {
        try (Tape tape = new Tape(b, _ -> retention)) {
            Var x = tape.input(tensor("x", 2, 3));
            Var[] y = tape.segment("pass", in -> new Var[] {in[0], in[0].times(in[1]), in[0]}, x, x);
            tape.backward(y[0].plus(y[1]).plus(y[2].affine(10, 0)).apply(SumTo.all()), gradients);
            assertArrayEquals(new double[] {1 + 4 + 10, 1 + 6 + 10}, gradient(x));
        }
    }

    @ParameterizedTest
    @EnumSource(Segment.Retention.class)
    void anInputOfTwoSegmentsGetsBothGradients(Segment.Retention retention) {
        new GradientCheck(92).normal(4).check(v -> {
            Var h = v[0].apply(Unary.SIGMOID);
            Var a = h.tape().segment1("a", in -> in[0].apply(Unary.EXP), h);
            return a.plus(h.tape().segment1("b", in -> in[0].times(in[1]), h, a));
        });
        try (Tape tape = new Tape(b, _ -> retention)) {
            Var x = tape.input(tensor("x", 2, 3));
            Var a = tape.segment1("a", in -> in[0].affine(3, 0), x);
            tape.backward(a.plus(tape.segment1("b", in -> in[0].times(in[0]), x)).apply(SumTo.all()), gradients);
            assertArrayEquals(new double[] {3 + 4, 3 + 6}, gradient(x));
        }
    }

    @ParameterizedTest
    @EnumSource(Segment.Retention.class)
    void resultsThatNothingUsesCostNoBackward(Segment.Retention retention) {
        try (Tape tape = new Tape(b, _ -> retention)) {
            Var x = tape.input(tensor("x", 2));
            int[] runs = {0};
            tape.segment1("unused", in -> {
                runs[0]++;
                return in[0].apply(Unary.EXP);
            }, x);
            Var[] two = tape.segment("half used", in -> new Var[] {in[0].apply(Unary.EXP), in[0].affine(3, 0)}, x);
            tape.backward(two[1], gradients);
            assertArrayEquals(new double[] {3}, gradient(x));
            assertEquals(1, runs[0], "runs of the unused segment");
        }
    }

    @ParameterizedTest
    @EnumSource(Segment.Retention.class)
    void aSegmentMayCaptureParametersAndConstants(Segment.Retention retention) {
        Parameter w = parameter("w", true, 2, 3);
        try (Tape tape = new Tape(b, _ -> retention)) {
            Var weight = tape.parameter(w);
            Var constant = tape.constant(tensor("c", 5, 7));
            Var y = tape.segment1("captures", in -> in[0].times(weight).times(constant), tape.constant(tensor("x", 1, 10)));
            tape.backward(y.apply(SumTo.all()), gradients);
            assertArrayEquals(new double[] {5, 70}, b.toDoubles(gradients.of(w).orElseThrow()));
        }
    }

    @Test void aCapturedVariableIsRefusedWithTheSegmentsName() {
        try (Tape tape = new Tape(b, Policy.RECOMPUTE_ALL)) {
            Var x = tape.input(tensor("x", 2));
            Var h = x.apply(Unary.EXP);
            assertRefused("mul: 'exp' [1] F64 requires grad was recorded outside segment 'step 1/block'; pass it to the segment as an input",
                    () -> tape.segment1("step 1", in -> tape.segment1("block", inner -> inner[0].times(h), in), x));
            assertRefused("add: 'x' [1] F64 requires grad was recorded outside segment 'step 2'; pass it to the segment as an input",
                    () -> tape.segment1("step 2", in -> in[0].plus(x), h));
            assertTrue(tape.unrecorded(() -> tape.segment1("step 3", in -> in[0].plus(x), h)).value().elements() == 1, "unrecorded, all is visible");
        }
    }

    @Test void aVariableThatLeavesItsSegmentOtherwiseThanAsAResultIsRefused() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var x = tape.input(tensor("x", 2));
            Var[] leak = new Var[1];
            tape.segment1("leaks", in -> (leak[0] = in[0].apply(Unary.EXP)).apply(Unary.EXP), x);
            assertRefused("add: 'exp' [1] F64 requires grad was recorded inside a segment and is none of its results; return it from there",
                    () -> leak[0].plus(x));
        }
    }

    @Test void leavesBelongOutsideOfSegments() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Tensor x = tensor("x", 2);
            assertRefused("input: must be made outside of segments, got 'x' [1] F64 in 'inner'; pass it to the segment",
                    () -> tape.segment1("inner", _ -> tape.input(x)));
        }
    }

    @Test void useAfterFreeNamesTheTensorAndWhoFreedIt() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var kept;
            try (Scope _ = b.memory().open("prefix")) {
                kept = tape.constant(tensor("embedding", 2));
            }
            assertRefused("memory: 'embedding' used after it was freed by the end of scope 'prefix'", () -> kept.apply(Unary.EXP));
        }
    }

    @Test void aConstantThatDiesBeforeRecomputationIsNamed() {
        try (Tape tape = new Tape(b, Policy.RECOMPUTE_ALL)) {
            Var x = tape.input(tensor("x", 2));
            Var y;
            try (Scope scope = b.memory().open("forward")) {
                Var context = tape.constant(tensor("context", 3));
                y = tape.segment1("block", in -> in[0].times(context), x);
                scope.keep(y.value());
            }
            assertRefused("memory: 'context' used after it was freed by the end of scope 'forward'", () -> tape.backward(y, gradients));
            assertTrue(gradients.of(x).isEmpty(), "part of a pass is no gradient");
        }
    }

    @Test void anUnrecordedPrefixGetsNoGradientAndKeepsNothing() {
        Parameter w = parameter("w", true, 2);
        try (Tape tape = new Tape(b, Policy.STORE_ALL); Scope _ = b.memory().open("chain")) {
            Var x = tape.input(tensor("x", 3));
            long before = b.memory().liveBytes();
            Var skipped = tape.unrecorded(() -> {
                assertFalse(tape.recording());
                return tape.segment1("step 0", in -> in[0].times(tape.parameter(w)).apply(Unary.EXP).affine(1, 1), x);
            });
            assertTrue(tape.recording());
            assertEquals(before + skipped.value().storage().bytes(), b.memory().liveBytes(), "only the result stays");
            assertFalse(skipped.requiresGrad());
            tape.backward(tape.segment1("step 1", in -> in[0].times(tape.parameter(w)), skipped), gradients);
            assertArrayEquals(b.toDoubles(skipped.value()), b.toDoubles(gradients.of(w).orElseThrow()));
            assertTrue(gradients.of(x).isEmpty(), "x lies before the unrecorded part");
        }
    }

    @Test void detachingCutsTheGradientOff() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var x = tape.input(tensor("x", 3));
            Var h = x.times(x);
            tape.backward(h.detach().times(h), gradients);
            assertArrayEquals(new double[] {9 * 2 * 3}, gradient(x));
        }
    }

    @Test void aVariableFromBeforeTheLastBackwardIsRefused() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var x = tape.input(tensor("x", 3));
            Var h = x.times(x);
            tape.backward(h, gradients);
            assertRefused("exp: 'mul' [1] F64 requires grad was recorded before the last backward pass, which emptied the tape; compute it again",
                    () -> h.apply(Unary.EXP));
            assertRefused("backward: 'mul' [1] F64 requires grad was recorded before the last backward pass, which emptied the tape; compute it again",
                    () -> tape.backward(h, gradients));
            assertArrayEquals(new double[] {6}, gradient(x), "what was there stays");
        }
    }

    @Test void saysWhatBackwardTakes() {
        try (Tape tape = new Tape(b, Policy.STORE_ALL)) {
            Var x = tape.input(tensor("x", 2, 3));
            Var c = tape.constant(tensor("c", 5));
            assertEquals("backward: the loss must have one element, got 'x' [2] F64 requires grad",
                    assertThrows(ShapeException.class, () -> tape.backward(x, gradients)).getMessage());
            assertRefused("backward: 'c' [1] F64 depends on no parameter or input that requires a gradient", () -> tape.backward(c, gradients));
            assertEquals("backward: the gradient of 'x' [2] F64 requires grad must be [2], got [1]",
                    assertThrows(ShapeException.class, () -> tape.backward(x, c.value(), gradients)).getMessage());
            assertRefused("backward: must run outside of segments, got a call inside 'inner'", () -> tape.segment1("inner", in -> {
                tape.backward(in[0].apply(SumTo.all()), gradients);
                return in[0];
            }, x));
            try (Tape other = new Tape(b, Policy.STORE_ALL)) {
                assertRefused("add: all inputs must be on one tape, got 'c' [1] F64 of another", () -> other.constant(c.value()).plus(c));
            }
        }
    }

    @Test void namedActivationsAreShownOnEveryRun() {
        List<String> seen = new ArrayList<>();
        try (Tape tape = new Tape(b, Policy.RECOMPUTE_ALL, (name, t) -> seen.add(name + " " + t.shape()))) {
            Var x = tape.input(tensor("x", 2));
            tape.backward(tape.segment1("block", in -> tape.named("mid_block", in[0].apply(Unary.EXP)), x), gradients);
        }
        assertEquals(List.of("mid_block [1]", "mid_block [1]"), seen);
    }

    @Test void policiesSeeThePathOfNestedSegments() {
        List<String> asked = new ArrayList<>();
        try (Tape tape = new Tape(b, path -> {
            asked.add(path);
            return Segment.Retention.RECOMPUTE;
        })) {
            Var x = tape.input(tensor("x", 2));
            tape.backward(tape.segment1("step 3", in -> tape.segment1("mid_block", inner -> inner[0].apply(Unary.EXP), in), x), gradients);
        }
        assertEquals(List.of("step 3", "step 3/mid_block"), asked);
    }
}
