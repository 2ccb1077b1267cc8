package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Unary;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NormGradientTest {

    @ParameterizedTest
    @CsvSource({"1,false", "3,false", "6,false", "1,true", "3,true", "6,true"})
    void groupNorm(int groups, boolean silu) {
        new GradientCheck(51).normal(2, 3, 5, 6).normal(6).normal(6).check(new GroupNorm(groups, 1e-5, silu));
        new GradientCheck(52).normal(2, 7, 6).normal(6).normal(6).check(new GroupNorm(groups, 1e-2, silu));
    }

    @Test void fusedSiluEqualsItsComposition() {
        double[][] fused = new GradientCheck(53).normal(2, 5, 6).normal(6).normal(6).check(v -> v[0].apply(new GroupNorm(2, 1e-5, true), v[1], v[2]));
        double[][] composed = new GradientCheck(53).normal(2, 5, 6).normal(6).normal(6)
                .check(v -> v[0].apply(new GroupNorm(2, 1e-5, false), v[1], v[2]).apply(Unary.SILU));
        for (int i = 0; i < 3; i++) {
            dev.retrograd.core.testing.Close.elements("input " + i, composed[i], fused[i], 1e-13, 1e-12);
        }
    }

    @Test void layerNorm() {
        new GradientCheck(54).normal(2, 3, 7).normal(7).normal(7).check(new LayerNorm(1e-5));
        new GradientCheck(55).normal(5).normal(5).normal(5).check(new LayerNorm(1e-3));
    }

    @Test void softmax() {
        new GradientCheck(56).normal(2, 3, 7).check(new Softmax());
        new GradientCheck(57).normal(5, 1).check(new Softmax());
    }

    @Test void gatedGelu() {
        new GradientCheck(58).normal(3, 5, 6).check(new Geglu());
    }

    @Test void saysWhatShapesMustBe() {
        Spec x = Spec.f32(2, 5, 6);
        assertShapeError("groupNorm: channels must divide by 4 groups, got [2,5,6]", () -> new GroupNorm(4, 1e-5, false).out(x, Spec.f32(6), Spec.f32(6)));
        assertShapeError("groupNormSilu: gamma must be [6], got [5]", () -> new GroupNorm(2, 1e-5, true).out(x, Spec.f32(5), Spec.f32(6)));
        assertShapeError("groupNorm: beta must be [6], got [1,6]", () -> new GroupNorm(2, 1e-5, false).out(x, Spec.f32(6), Spec.f32(1, 6)));
        assertShapeError("groupNorm: x must be [B,...,C], got [6]", () -> new GroupNorm(2, 1e-5, false).out(Spec.f32(6), Spec.f32(6), Spec.f32(6)));
        assertShapeError("layerNorm: gamma must be [6], got [2]", () -> new LayerNorm(1e-5).out(x, Spec.f32(2), Spec.f32(6)));
        assertShapeError("geglu: x must have an even number of channels, got [2,5]", () -> new Geglu().out(Spec.f32(2, 5)));
    }

    private static void assertShapeError(String message, Runnable code) {
        assertEquals(message, assertThrows(ShapeException.class, code::run).getMessage());
    }
}
