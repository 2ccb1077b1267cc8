package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Op;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
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
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Each operator on the CPU backend, with fresh tensors full of NaN: results and gradients as in float64, and the bytes that a plan foretold.
class OpsOnBackendsTest {

    static Stream<Arguments> cases() {
        Spec image = Spec.f32(2, 5, 7, 6);
        Spec x = Spec.f32(2, 13, 6);
        Spec c = Spec.f32(6);
        Spec w = Spec.f32(17, 6);
        Spec bias = Spec.f32(17);
        return Stream.of(
                row(new Linear(), x, w, bias),
                row(new LoraLinear(0.5), x, w, Spec.f32(3, 6), Spec.f32(17, 3), bias),
                row(new Conv2d(ConvSpec.square(3, 1, 1)), image, Spec.f32(7, 3, 3, 6), Spec.f32(7)),
                row(new Conv2d(ConvSpec.square(3, 2, 1)), image, Spec.f32(7, 3, 3, 6)),
                row(new Conv2d(ConvSpec.square(1, 1, 0)), image, Spec.f32(7, 1, 1, 6)),
                row(new MatMul(false, false), x, Spec.f32(2, 6, 5)),
                row(new MatMul(true, false), Spec.f32(3, 6, 5), Spec.f32(6, 7)),
                row(new MatMul(true, true), Spec.f32(3, 6, 5), Spec.f32(7, 6)),
                row(new MatMul(false, true), x, Spec.f32(7, 6)),
                row(new Attention(new AttentionSpec(2, 0.5, false)), x, Spec.f32(2, 7, 6), Spec.f32(2, 7, 6)),
                row(new Attention(new AttentionSpec(3, 0.5, true)), x, x, x),
                row(new PaddedAttention(new AttentionSpec(2, 0.5, false)), x, Spec.f32(2, 17, 6), Spec.f32(2, 17, 6), new Spec(Shape.of(2), DType.I32)),
                row(new GroupNorm(3, 1e-5, false), image, c, c),
                row(new GroupNorm(3, 1e-5, true), image, c, c),
                row(new LayerNorm(1e-5), x, c, c),
                row(new Softmax(), x),
                row(new Geglu(), x),
                row(new BinaryOp(Binary.SUB), x, c),
                row(new BinaryOp(Binary.MUL), image, Spec.f32(2, 1, 1, 6)),
                row(new UnaryOp(Unary.SILU), x),
                row(new UnaryOp(Unary.QUICK_GELU), x),
                row(new UnaryOp(Unary.TANH), x),
                row(new UnaryOp(Unary.clamp(-0.5, 0.5)), x),
                row(new LinearCombination(0.5, 2, -3), x, x),
                row(new SumTo(Shape.of(2, 1, 6), 0.25), x),
                row(new BroadcastTo(Shape.of(3, 2, 13, 6)), x),
                row(new Slice(1, 3, 5), x),
                row(new Concat(-1), image, Spec.f32(2, 5, 7, 3)),
                row(new Permute(2, 0, 1), x),
                row(new Reshape(Shape.of(26, 6)), x),
                row(new Convert(DType.F64), x),
                row(new GatherRows(), w, new Spec(Shape.of(3, 5), DType.I32)),
                row(new UpsampleNearest(2), image),
                row(new Resize(new Resampling(Resampling.Filter.BICUBIC, true), 3, 4), image),
                row(new Resize(new Resampling(Resampling.Filter.BILINEAR, false), 9, 8), image));
    }

    private static Arguments row(Op<?> op, Spec... in) {
        return Arguments.of(op, List.of(in));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void resultAndGradientsAreThoseOfTheReference(Op<?> op, List<Spec> in) {
        try (Backend reference = new ReferenceBackend(); Backend cpu = new CpuBackend(CpuBackend.Options.defaults().withPoison())) {
            List<float[]> expected = run(reference, op, in);
            List<float[]> got = run(cpu, op, in);
            for (int i = 0; i < expected.size(); i++) {
                Close.relativeL2(op.name() + (i == 0 ? " result" : ": gradient of differentiated input " + (i - 1)), expected.get(i), got.get(i), 1e-6);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aPlanForetellsEveryByte(Op<?> op, List<Spec> in) {
        try (Backend plan = new PlanBackend("cpu", 0); Backend cpu = new CpuBackend()) {
            pass(plan, op, in, _ -> { });
            pass(cpu, op, in, _ -> { });
            assertEquals(plan.memory().peakBytes(), cpu.memory().peakBytes(), "peak bytes");
            assertEquals(plan.memory().allocations(), cpu.memory().allocations(), "allocations");
            assertEquals(0, cpu.memory().liveBytes(), "live bytes in the end");
        }
    }

    private static List<float[]> run(Backend b, Op<?> op, List<Spec> specs) {
        List<float[]> out = new ArrayList<>();
        pass(b, op, specs, t -> out.add(b.toFloats(t)));
        return out;
    }

    private static void pass(Backend b, Op<?> op, List<Spec> specs, Consumer<Tensor> seen) {
        RandomValues random = new RandomValues(3);
        try (Scope _ = b.memory().open("pass"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(b)) {
            Var[] in = specs.stream().map(s -> s.dtype() == DType.I32
                    ? tape.constant(b.ints("ids", s.shape(), random.ints(s.shape().elements(), 17)))
                    : tape.input(b.floats("x", s.shape(), random.normal(s.shape().elements())))).toArray(Var[]::new);
            Var y = tape.apply(op, in);
            seen.accept(y.value());
            Tensor dy = b.floats("dy", y.shape(), random.normal(y.shape().elements()));
            Tensor typed = b.empty("dy", y.spec());
            b.convert(dy, typed);
            tape.backward(y, typed, gradients);
            for (Var v : in) {
                if (v.requiresGrad()) {
                    seen.accept(gradients.of(v).orElseThrow());
                }
            }
        }
    }
}
