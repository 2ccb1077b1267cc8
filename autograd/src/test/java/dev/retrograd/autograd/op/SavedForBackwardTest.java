package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.autograd.Op;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Binary;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What an operator keeps alive until backward, seen from outside: which tensors survive the end of the scope that they were made in.
class SavedForBackwardTest {
    private static final Spec X = Spec.f32(2, 4, 6);
    private static final Spec CHANNELS = Spec.f32(6);
    private static final Spec IMAGE = Spec.f32(1, 4, 4, 2);
    private static final Spec KERNEL = Spec.f32(3, 3, 3, 2);
    private static final Conv2d CONV = new Conv2d(ConvSpec.square(3, 1, 1));
    private static final LoraLinear LORA = new LoraLinear(2);
    private static final Attention ATTENTION = new Attention(new AttentionSpec(2, 1, false));

    /// Operator, inputs, which of them want a gradient, which survive, and whether the result does.
    static Stream<Arguments> cases() {
        Spec w = Spec.f32(5, 6);
        Spec bias = Spec.f32(5);
        Spec a = Spec.f32(2, 6);
        Spec b = Spec.f32(5, 2);
        return Stream.of(
                row(new Linear(), "0", "1", false, X, w, bias),
                row(new Linear(), "1", "0", false, X, w, bias),
                row(new Linear(), "2", "", false, X, w, bias),
                row(new Linear(), "012", "01", false, X, w, bias),
                row(LORA, "0", "123", false, X, w, a, b),
                row(LORA, "2", "03", false, X, w, a, b),
                row(LORA, "3", "", false, X, w, a, b),
                row(LORA, "23", "03", false, X, w, a, b),
                row(LORA, "023", "0123", false, X, w, a, b),
                row(CONV, "0", "1", false, IMAGE, KERNEL),
                row(CONV, "1", "0", false, IMAGE, KERNEL),
                row(new MatMul(false, true), "0", "1", false, X, X),
                row(new MatMul(false, true), "1", "0", false, X, X),
                row(new BinaryOp(Binary.ADD), "01", "", false, X, CHANNELS),
                row(new BinaryOp(Binary.MUL), "0", "1", false, X, CHANNELS),
                row(new BinaryOp(Binary.MUL), "1", "0", false, X, CHANNELS),
                row(new BinaryOp(Binary.DIV), "0", "1", false, X, CHANNELS),
                row(new BinaryOp(Binary.DIV), "1", "01", false, X, CHANNELS),
                row(new UnaryOp(Unary.SILU), "0", "0", false, X),
                row(new LinearCombination(0, 1, 2), "01", "", false, X, X),
                row(new Softmax(), "0", "", true, X),
                row(new Geglu(), "0", "0", false, X),
                row(new GroupNorm(3, 1e-5, true), "0", "012", false, X, CHANNELS, CHANNELS),
                row(new LayerNorm(1e-5), "0", "01", false, X, CHANNELS, CHANNELS),
                row(ATTENTION, "0", "012", true, X, X, X),
                row(new PaddedAttention(ATTENTION.how()), "0", "0123", true, X, X, X, new Spec(Shape.of(2), DType.I32)),
                row(new Slice(1, 0, 2), "0", "", false, X),
                row(new Concat(1), "01", "", false, X, X),
                row(new Permute(0, 2, 1), "0", "", false, X),
                row(new SumTo(Shape.of(6), 1), "0", "", false, X),
                row(new BroadcastTo(Shape.of(3, 6)), "0", "", false, CHANNELS),
                row(new Convert(DType.F64), "0", "", false, X),
                row(new GatherRows(), "0", "1", false, w, new Spec(Shape.of(3), DType.I32)),
                row(new UpsampleNearest(2), "0", "", false, IMAGE),
                row(new Resize(new Resampling(Resampling.Filter.BICUBIC, true), 3, 3), "0", "", false, IMAGE));
    }

    private static Arguments row(Op<?> op, String wanted, String kept, boolean result, Spec... in) {
        return Arguments.of(op, wanted, kept, result, List.of(in));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void keepsExactlyWhatTheWantedGradientsRead(Op<?> op, String wanted, String kept, boolean result, List<Spec> in) {
        assertEquals(kept + (result ? " and the result" : ""), survivors(op, wanted, in, Segment.Retention.STORE), op.name());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void keepsNothingWhenAllIsFrozen(Op<?> op, String wanted, String kept, boolean result, List<Spec> in) {
        assertEquals("", survivors(op, "", in, Segment.Retention.STORE), op.name());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aRecomputedSegmentKeepsItsInputsOnly(Op<?> op, String wanted, String kept, boolean result, List<Spec> in) {
        assertEquals("0123456".substring(0, in.size()), survivors(op, wanted, in, Segment.Retention.RECOMPUTE), op.name());
    }

    private static String survivors(Op<?> op, String wanted, List<Spec> specs, Segment.Retention retention) {
        try (PlanBackend b = new PlanBackend("cpu", 0); Tape tape = new Tape(b, _ -> retention)) {
            List<Var> in = new ArrayList<>();
            Tensor y;
            try (Scope _ = b.memory().open("forward")) {
                for (int i = 0; i < specs.size(); i++) {
                    Tensor t = b.empty("input " + i, specs.get(i));
                    in.add(wanted.indexOf('0' + i) >= 0 ? tape.input(t) : tape.constant(t));
                }
                y = tape.segment1("checked", v -> tape.apply(op, v), in.toArray(Var[]::new)).value();
            }
            StringBuilder alive = new StringBuilder();
            for (int i = 0; i < specs.size(); i++) {
                alive.append(alive(in.get(i).value()) ? i : "");
            }
            return alive + (alive(y) ? " and the result" : "");
        }
    }

    private static boolean alive(Tensor t) {
        try {
            return t.storage().alive();
        } catch (IllegalStateException e) {
            return false;
        }
    }
}
