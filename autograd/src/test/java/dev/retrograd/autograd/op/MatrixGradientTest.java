package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MatrixGradientTest {

    @ParameterizedTest
    @CsvSource({"false,false", "true,false", "false,true", "true,true"})
    void products(boolean ta, boolean tb) {
        MatMul op = new MatMul(ta, tb);
        int[] a = ta ? new int[] {5, 3} : new int[] {3, 5};
        int[] b = tb ? new int[] {7, 5} : new int[] {5, 7};
        new GradientCheck(31).normal(a).normal(b).check(op);
        new GradientCheck(32).normal(2, 3, a[0], a[1]).normal(2, 3, b[0], b[1]).check(op);
        new GradientCheck(33).normal(2, 3, a[0], a[1]).normal(b).check(op);
    }

    @Test void productOfAMatrixWithItself() {
        new GradientCheck(34).normal(3, 3).check(v -> v[0].apply(new MatMul(false, true), v[0]));
    }

    @Test void linearLayersWithAndWithoutBias() {
        new GradientCheck(35).normal(2, 3, 5).normal(7, 5).check(new Linear());
        new GradientCheck(36).normal(2, 3, 5).normal(7, 5).normal(7).check(new Linear());
        new GradientCheck(37).normal(5).normal(1, 5).normal(1).check(new Linear());
    }

    @Test void lowRankLinearLayersWithAndWithoutBias() {
        new GradientCheck(38).normal(2, 3, 5).normal(7, 5).normal(2, 5).normal(7, 2).check(new LoraLinear(0.75));
        new GradientCheck(39).normal(2, 3, 5).normal(7, 5).normal(2, 5).normal(7, 2).normal(7).check(new LoraLinear(1.5));
    }

    @Test void lowRankLayerEqualsItsComposition() {
        new GradientCheck(40).normal(3, 5).normal(7, 5).normal(2, 5).normal(7, 2).check(v -> v[0].apply(new LoraLinear(0.75), v[1], v[2], v[3])
                .minus(v[0].apply(new Linear(), v[1]).plus(v[0].apply(new Linear(), v[2]).apply(new Linear(), v[3]).affine(0.75, 0))));
    }

    @ParameterizedTest
    @CsvSource({"1,1,0", "3,1,1", "3,2,1", "2,2,0", "5,3,2"})
    void convolutions(int kernel, int stride, int padding) {
        Conv2d op = new Conv2d(ConvSpec.square(kernel, stride, padding));
        new GradientCheck(41).normal(2, 5, 7, 3).normal(2, kernel, kernel, 3).check(op);
        new GradientCheck(42).normal(1, 7, 5, 2).normal(3, kernel, kernel, 2).normal(3).check(op);
    }

    @Test void convolutionPaddedBelowAndRightOnly() {
        new GradientCheck(43).normal(1, 6, 6, 2).normal(3, 3, 3, 2).check(new Conv2d(new ConvSpec(3, 3, 2, 0, 1, 0, 1)));
    }

    @ParameterizedTest
    @CsvSource({"1,5,3,4,false", "2,3,7,6,false", "3,5,5,3,true"})
    void attention(int heads, int queries, int keys, int channels, boolean causal) {
        new GradientCheck(44).normal(2, queries, channels).normal(2, keys, channels).normal(2, keys, channels)
                .check(new Attention(new AttentionSpec(heads, 0.6, causal)));
    }

    @ParameterizedTest
    @CsvSource({"1,5,3,4,false", "2,3,7,6,false", "3,5,5,3,true", "1,2,1,2,false"})
    void attentionToKeysOfWhichSomeArePadding(int heads, int queries, int keys, int channels, boolean causal) {
        new GradientCheck(46).normal(4, queries, channels).normal(4, keys, channels).normal(4, keys, channels).ids(keys + 1, 4)
                .check(new PaddedAttention(new AttentionSpec(heads, 0.6, causal)));
    }

    @Test void selfAttentionOfOneTensor() {
        new GradientCheck(45).normal(2, 3, 4).check(v -> v[0].apply(new Attention(new AttentionSpec(2, 0.7, false)), v[0], v[0]));
    }

    @Test void saysWhatShapesMustBe() {
        Spec x = Spec.f32(2, 3, 5);
        assertShapeError("linear: weight [7,4] takes 4 input channels, got x [2,3,5]", () -> new Linear().out(x, Spec.f32(7, 4)));
        assertShapeError("linear: weight must be [out,in], got [7,5,1]", () -> new Linear().out(x, Spec.f32(7, 5, 1)));
        assertShapeError("linear: bias must be [7], got [5]", () -> new Linear().out(x, Spec.f32(7, 5), Spec.f32(5)));
        assertShapeError("loraLinear: A must be [rank,5], got [2,4]", () -> new LoraLinear(1).out(x, Spec.f32(7, 5), Spec.f32(2, 4), Spec.f32(7, 2)));
        assertShapeError("loraLinear: B must be [7,2], got [2,7]", () -> new LoraLinear(1).out(x, Spec.f32(7, 5), Spec.f32(2, 5), Spec.f32(2, 7)));
        assertShapeError("matMul: the inner sizes must agree, second transposed, got [2,3,5] and [2,5,4]",
                () -> new MatMul(false, true).out(x, Spec.f32(2, 5, 4)));
        assertShapeError("matMul: both inputs must have the same leading axes, or the second must be of rank 2, got [2,3,5] and [3,5,4]",
                () -> new MatMul(false, false).out(x, Spec.f32(3, 5, 4)));
        assertShapeError("conv2d: weight [7,3,3,4] takes 4 input channels, got x [1,8,8,3]",
                () -> new Conv2d(ConvSpec.square(3, 1, 1)).out(Spec.f32(1, 8, 8, 3), Spec.f32(7, 3, 3, 4)));
        assertShapeError("conv2d: weight must be [out,3,3,in], got [7,1,1,3]",
                () -> new Conv2d(ConvSpec.square(3, 1, 1)).out(Spec.f32(1, 8, 8, 3), Spec.f32(7, 1, 1, 3)));
        assertShapeError("conv2d: the kernel's 3 rows must fit into the padded image, got 2",
                () -> new Conv2d(ConvSpec.square(3, 1, 0)).out(Spec.f32(1, 2, 8, 3), Spec.f32(7, 3, 3, 3)));
        assertShapeError("attention: q must be [B,N,C] and k [B,M,C], got [2,3,5] and [2,3,6]",
                () -> new Attention(new AttentionSpec(1, 1, false)).out(x, Spec.f32(2, 3, 6), Spec.f32(2, 3, 6)));
        assertShapeError("attention: v must have k's shape [2,4,5], got [2,3,5]",
                () -> new Attention(new AttentionSpec(1, 1, false)).out(x, Spec.f32(2, 4, 5), x));
        assertShapeError("attention: channels must divide by 2 heads, got [2,3,5]", () -> new Attention(new AttentionSpec(2, 1, false)).out(x, x, x));
        assertShapeError("paddedAttention: lengths must be [2], got [3]", () -> new PaddedAttention(new AttentionSpec(1, 1, false)).out(x, x, x, new Spec(Shape.of(3), DType.I32)));
        assertEquals("loraLinear: takes 4 to 5 inputs, got 1", assertThrows(IllegalArgumentException.class, () -> new LoraLinear(1).out(x)).getMessage());
    }

    private static void assertShapeError(String message, Runnable code) {
        assertEquals(message, assertThrows(ShapeException.class, code::run).getMessage());
    }
}
