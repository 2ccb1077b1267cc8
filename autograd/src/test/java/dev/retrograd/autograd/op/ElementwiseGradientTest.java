package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Unary;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ElementwiseGradientTest {

    static Stream<Unary> functionsOfAnyNumber() {
        return Stream.of(Unary.SILU, Unary.GELU, Unary.QUICK_GELU, Unary.SIGMOID, Unary.TANH, Unary.RELU, Unary.EXP, Unary.ABS,
                Unary.clamp(-0.5, 0.75), Unary.ROUND_CUBIC, Unary.pow(3));
    }

    @ParameterizedTest
    @MethodSource("functionsOfAnyNumber")
    void unaryFunctions(Unary f) {
        new GradientCheck(11).normal(3, 7).check(new UnaryOp(f));
    }

    static Stream<Unary> functionsOfPositiveNumbers() {
        return Stream.of(Unary.LOG, Unary.SQRT, Unary.pow(-1.5), Unary.pow(0.5));
    }

    @ParameterizedTest
    @MethodSource("functionsOfPositiveNumbers")
    void unaryFunctionsOfPositiveNumbers(Unary f) {
        new GradientCheck(12).uniform(0.5, 2, 13).check(new UnaryOp(f));
    }

    @Test void straightThroughRoundingPassesTheGradientOn() {
        double[][] d = new Gradients1(Shape.of(3), 0.4, 1.6, -2.5).through(new UnaryOp(Unary.ROUND_STRAIGHT), 2, -3, 5);
        assertArrayEquals(new double[] {2, -3, 5}, d[0]);
    }

    @Test void clampPassesTheGradientOnItsBounds() {
        double[][] d = new Gradients1(Shape.of(4), -1, 1, 1.5, 0).through(new UnaryOp(Unary.clamp(-1, 1)), 2, 3, 5, 7);
        assertArrayEquals(new double[] {2, 3, 0, 7}, d[0]);
    }

    @ParameterizedTest
    @EnumSource(value = Binary.class, names = {"ADD", "SUB", "MUL", "DIV"})
    void binaryFunctionsOfOneShape(Binary f) {
        new GradientCheck(13).normal(3, 5).uniform(0.5, 2, 3, 5).check(new BinaryOp(f));
    }

    @ParameterizedTest
    @EnumSource(value = Binary.class, names = {"ADD", "SUB", "MUL", "DIV"})
    void binaryFunctionsSumOverBroadcastAxes(Binary f) {
        new GradientCheck(14).normal(2, 3, 5).uniform(0.5, 2, 5).check(new BinaryOp(f));
        new GradientCheck(15).normal(5).uniform(0.5, 2, 2, 3, 5).check(new BinaryOp(f));
        new GradientCheck(16).normal(2, 1, 5).uniform(0.5, 2, 3, 1).check(new BinaryOp(f));
        new GradientCheck(17).normal(2, 3).uniform(0.5, 2).check(new BinaryOp(f));
        new GradientCheck(18).normal(2, 1, 1, 1).uniform(0.5, 2, 2, 3, 3, 2).check(new BinaryOp(f));
    }

    @ParameterizedTest
    @EnumSource(value = Binary.class, names = {"ADD", "SUB", "MUL", "DIV"})
    void oneInputUsedTwiceGetsBothGradients(Binary f) {
        new GradientCheck(19).uniform(0.5, 2, 7).check(v -> v[0].apply(new BinaryOp(f), v[0]).plus(v[0]));
    }

    @Test void linearCombinations() {
        new GradientCheck(20).normal(3, 5).normal(3, 5).normal(3, 5).check(new LinearCombination(0.25, 1, -2.5, 7));
        new GradientCheck(21).normal(4).check(v -> v[0].apply(new LinearCombination(1, 2, 3), v[0]).affine(-0.5, 3));
    }

    @Test void conversionReturnsTheGradientInTheInputsType() {
        new GradientCheck(22).normal(5).check(v -> v[0].apply(new Convert(DType.F32)).times(v[0].apply(new Convert(DType.F32))));
    }

    @ParameterizedTest
    @CsvSource({"MAX", "MIN"})
    void refusesFunctionsWithoutOneGradient(Binary f) {
        String message = assertThrows(IllegalArgumentException.class, () -> new BinaryOp(f)).getMessage();
        assertEquals("binary: must be ADD, SUB, MUL or DIV to be differentiable, got " + f, message);
    }

    @Test void saysWhatInputsMustBe() {
        Spec f32 = Spec.f32(2, 3);
        Spec ids = f32.with(DType.I32);
        assertEquals("silu: takes 1 inputs, got 2", assertThrows(IllegalArgumentException.class, () -> new UnaryOp(Unary.SILU).out(f32, f32)).getMessage());
        assertEquals("silu: takes floating-point values, got [2,3] I32", assertThrows(DTypeException.class, () -> new UnaryOp(Unary.SILU).out(ids)).getMessage());
        assertEquals("mul: takes floating-point values, got [2,3] I32", assertThrows(DTypeException.class, () -> new BinaryOp(Binary.MUL).out(ids, ids)).getMessage());
        assertEquals("mul: both inputs must have one type, got [2,3] F32 and [2,3] F64",
                assertThrows(DTypeException.class, () -> new BinaryOp(Binary.MUL).out(f32, f32.with(DType.F64))).getMessage());
        assertEquals("broadcast: sizes must agree or be 1, got [2,3] and [2]",
                assertThrows(ShapeException.class, () -> new BinaryOp(Binary.MUL).out(f32, Spec.f32(2))).getMessage());
        assertEquals("linearCombination: all inputs must be [2,3] F32, got [3,2]",
                assertThrows(ShapeException.class, () -> new LinearCombination(0, 1, 1).out(f32, Spec.f32(3, 2))).getMessage());
        assertEquals("linearCombination: takes 2 inputs, got 1",
                assertThrows(IllegalArgumentException.class, () -> new LinearCombination(0, 1, 1).out(f32)).getMessage());
        assertEquals("convert: takes floating-point values, got [2,3] I32",
                assertThrows(DTypeException.class, () -> new Convert(DType.I32).out(f32)).getMessage());
    }
}
