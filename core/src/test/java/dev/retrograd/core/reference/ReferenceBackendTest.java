package dev.retrograd.core.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The reference is checked by hand-made cases and by its own central differences; nothing else stands below it.
class ReferenceBackendTest {
    private final ReferenceBackend b = new ReferenceBackend();
    private final RandomValues random = new RandomValues(7);

    @AfterEach void close() {
        b.close();
    }

    private Tensor normal(int... dims) {
        Shape shape = Shape.of(dims);
        return b.doubles("normal", shape, random.normalDoubles(shape.elements()));
    }

    private Tensor like(Tensor t) {
        return b.empty("like", t.spec());
    }

    /// Asserts that `dx` is the gradient of `Σ dy·y` with `y` written by `forward` from the tensor `x`.
    private void assertGradient(String what, Tensor x, Consumer<Tensor> forward, Tensor y, Tensor dy, Tensor dx) {
        double[] expected = CentralDifferences.gradient(values -> {
            Tensor moved = like(x);
            b.set(moved, values);
            forward.accept(moved);
            return b.toDoubles(y);
        }, b.toDoubles(x), b.toDoubles(dy));
        Close.elements(what, expected, b.toDoubles(dx), 1e-8, 1e-7);
    }

    @Test void multipliesMatricesInAllFourTranspositions() {
        Tensor a = b.doubles("a", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        Tensor at = b.doubles("at", Shape.of(3, 2), 1, 4, 2, 5, 3, 6);
        Tensor c = b.doubles("c", Shape.of(3, 2), 1, 0, 0, 1, 1, 1);
        Tensor ct = b.doubles("ct", Shape.of(2, 3), 1, 0, 1, 0, 1, 1);
        Tensor y = b.doubles("y", Shape.of(2, 2), 0, 0, 0, 0);
        double[] expected = {4, 5, 10, 11};
        b.matmul(a, false, c, false, y);
        assertArrayEquals(expected, b.toDoubles(y));
        b.matmul(at, true, c, false, y);
        assertArrayEquals(expected, b.toDoubles(y));
        b.matmul(a, false, ct, true, y);
        assertArrayEquals(expected, b.toDoubles(y));
        b.matmul(at, true, ct, true, y);
        assertArrayEquals(expected, b.toDoubles(y));
        b.matmulAcc(a, false, c, false, y);
        assertArrayEquals(new double[] {8, 10, 20, 22}, b.toDoubles(y));
    }

    @Test void convolvesWithPaddingOnOneSide() {
        Tensor x = b.doubles("x", Shape.of(1, 2, 2, 1), 1, 2, 3, 4);
        Tensor w = b.doubles("w", Shape.of(1, 2, 2, 1), 1, 10, 100, 1000);
        Tensor y = b.doubles("y", Shape.of(1, 2, 2, 1), 0, 0, 0, 0);
        b.conv2d(new ConvSpec(2, 2, 1, 0, 1, 0, 1), x, w, y);
        assertArrayEquals(new double[] {4321, 402, 43, 4}, b.toDoubles(y));
    }

    @Test void errorFunctionHasKnownValues() {
        assertEquals(0.8427007929497149, Functions.erf(1), 4e-16);
        assertEquals(-0.9999779095030014, Functions.erf(-3), 4e-16);
        assertEquals(1, Functions.erf(6.5));
        assertTrue(Double.isNaN(Functions.erf(Double.NaN)), "erf(NaN)");
    }

    /// From 6 to 4: the first output is centred on 0.25 (pixels) and, widened, weighs pixels 0 and 1 by 5/6 and 1/2, the second 1..3 by 1/2, 5/6, 1/6.
    @Test void resizesARampByHand() {
        Tensor x = b.doubles("x", Shape.of(1, 1, 6, 1), 0, 1, 2, 3, 4, 5);
        Tensor y = b.doubles("y", Shape.of(1, 1, 4, 1), 0, 0, 0, 0);
        b.resize(new Resampling(Resampling.Filter.BILINEAR, false), x, y);
        Close.elements("bilinear", new double[] {0.25, 1.75, 3.25, 4.75}, b.toDoubles(y), 1e-12, 0);
        b.resize(new Resampling(Resampling.Filter.BILINEAR, true), x, y);
        Close.elements("bilinear antialias", new double[] {3 / 8.0, 16 / 9.0, 5 - 16 / 9.0, 5 - 3 / 8.0}, b.toDoubles(y), 1e-12, 0);
    }

    @ParameterizedTest @EnumSource(Unary.Kind.class) void unaryGradientsAreDerivatives(Unary.Kind kind) {
        Unary f = kind == Unary.Kind.CLAMP ? Unary.clamp(0.4, 1.1) : kind == Unary.Kind.POW ? Unary.pow(2.5) : new Unary(kind, 0, 0);
        Tensor x = b.doubles("x", Shape.of(5), 0.3, 0.7, 1.3, 2.2, 3.1);
        Tensor dy = normal(5);
        Tensor y = like(x);
        Tensor dx = like(x);
        b.unaryBackward(f, x, dy, dx);
        if (kind == Unary.Kind.ROUND_STRAIGHT) {
            assertArrayEquals(b.toDoubles(dy), b.toDoubles(dx), "straight through");
        } else {
            assertGradient(kind.name(), x, t -> b.unary(f, t, y), y, dy, dx);
        }
    }

    @Test void convolutionGradientsAreDerivatives() {
        ConvSpec spec = new ConvSpec(3, 2, 2, 1, 0, 0, 1);
        Tensor x = normal(2, 4, 5, 3);
        Tensor w = normal(4, 3, 2, 3);
        Tensor y = normal(2, spec.outHeight(4), spec.outWidth(5), 4);
        Tensor dy = normal(2, spec.outHeight(4), spec.outWidth(5), 4);
        Tensor dx = like(x);
        Tensor dw = like(w);
        b.conv2dBackwardInput(spec, dy, w, dx);
        b.conv2dBackwardWeight(spec, x, dy, dw);
        assertGradient("conv2d x", x, t -> b.conv2d(spec, t, w, y), y, dy, dx);
        assertGradient("conv2d w", w, t -> b.conv2d(spec, x, t, y), y, dy, dw);
    }

    @ParameterizedTest @ValueSource(booleans = {false, true}) void attentionGradientsAreDerivatives(boolean causal) {
        AttentionSpec spec = new AttentionSpec(2, 0.6, causal);
        Tensor q = normal(2, 4, 6);
        Tensor k = normal(2, 5, 6);
        Tensor v = normal(2, 5, 6);
        Tensor y = like(q);
        Tensor lse = normal(2, 2, 4);
        b.attention(spec, q, k, v, y, lse);
        Tensor dy = normal(2, 4, 6);
        Tensor dq = like(q);
        Tensor dk = like(k);
        Tensor dv = like(v);
        b.attentionBackward(spec, q, k, v, y, lse, dy, like(lse), dq, dk, dv);
        assertGradient("attention q", q, t -> b.attention(spec, t, k, v, y, like(lse)), y, dy, dq);
        assertGradient("attention k", k, t -> b.attention(spec, q, t, v, y, like(lse)), y, dy, dk);
        assertGradient("attention v", v, t -> b.attention(spec, q, k, t, y, like(lse)), y, dy, dv);
    }

    @Test void groupNormGradientsAreDerivatives() {
        Tensor x = normal(2, 3, 2, 6);
        Tensor gamma = normal(6);
        Tensor beta = normal(6);
        Tensor y = like(x);
        Tensor mean = normal(2, 3);
        Tensor rstd = normal(2, 3);
        Tensor dy = normal(2, 3, 2, 6);
        b.groupNorm(3, 1e-5, x, gamma, beta, y, mean, rstd);
        Tensor dz = like(x);
        Tensor dx = like(x);
        Tensor dgamma = like(gamma);
        Tensor dbeta = like(beta);
        b.groupNormSiluBackward(x, gamma, beta, mean, rstd, dy, dz);
        b.groupNormBackward(x, gamma, mean, rstd, dz, dx);
        b.groupNormBackwardParameters(x, mean, rstd, dz, dgamma, dbeta);
        Tensor m = like(mean);
        Tensor r = like(rstd);
        assertGradient("groupNormSilu x", x, t -> b.groupNormSilu(3, 1e-5, t, gamma, beta, y, m, r), y, dy, dx);
        assertGradient("groupNormSilu gamma", gamma, t -> b.groupNormSilu(3, 1e-5, x, t, beta, y, m, r), y, dy, dgamma);
        assertGradient("groupNormSilu beta", beta, t -> b.groupNormSilu(3, 1e-5, x, gamma, t, y, m, r), y, dy, dbeta);
    }

    @Test void layerNormGradientsAreDerivatives() {
        Tensor x = normal(3, 2, 7);
        Tensor gamma = normal(7);
        Tensor beta = normal(7);
        Tensor y = like(x);
        Tensor mean = normal(6);
        Tensor rstd = normal(6);
        Tensor dy = normal(3, 2, 7);
        b.layerNorm(1e-5, x, gamma, beta, y, mean, rstd);
        Tensor dx = like(x);
        Tensor dgamma = like(gamma);
        Tensor dbeta = like(beta);
        b.layerNormBackward(x, gamma, mean, rstd, dy, dx);
        b.layerNormBackwardParameters(x, mean, rstd, dy, dgamma, dbeta);
        Tensor m = like(mean);
        Tensor r = like(rstd);
        assertGradient("layerNorm x", x, t -> b.layerNorm(1e-5, t, gamma, beta, y, m, r), y, dy, dx);
        assertGradient("layerNorm gamma", gamma, t -> b.layerNorm(1e-5, x, t, beta, y, m, r), y, dy, dgamma);
        assertGradient("layerNorm beta", beta, t -> b.layerNorm(1e-5, x, gamma, t, y, m, r), y, dy, dbeta);
    }

    @Test void softmaxAndGegluGradientsAreDerivatives() {
        Tensor x = normal(3, 8);
        Tensor y = like(x);
        Tensor dy = normal(3, 8);
        Tensor dx = like(x);
        b.softmax(x, y);
        b.softmaxBackward(y, dy, dx);
        assertGradient("softmax", x, t -> b.softmax(t, y), y, dy, dx);
        Tensor half = normal(3, 4);
        Tensor dhalf = normal(3, 4);
        b.gegluBackward(x, dhalf, dx);
        assertGradient("geglu", x, t -> b.geglu(t, half), half, dhalf, dx);
    }

    @Test void adjointsOfLinearMapsAreTheirDerivatives() {
        Tensor x = normal(2, 5, 4, 2);
        Tensor dx = like(x);
        Tensor small = normal(2, 3, 2, 2);
        Tensor dsmall = normal(2, 3, 2, 2);
        Tensor large = normal(2, 10, 8, 2);
        Tensor dlarge = normal(2, 10, 8, 2);
        b.upsampleNearestBackward(2, dlarge, dx);
        assertGradient("upsampleNearest", x, t -> b.upsampleNearest(2, t, large), large, dlarge, dx);
        for (Resampling.Filter filter : Resampling.Filter.values()) {
            for (boolean antialias : new boolean[] {false, true}) {
                Resampling how = new Resampling(filter, antialias);
                b.resizeBackward(how, dsmall, dx);
                assertGradient(how + " down", x, t -> b.resize(how, t, small), small, dsmall, dx);
                b.resizeBackward(how, dlarge, dx);
                assertGradient(how + " up", x, t -> b.resize(how, t, large), large, dlarge, dx);
            }
        }
        Tensor table = normal(4, 3);
        Tensor ids = b.ints("ids", Shape.of(5), 3, 0, 3, 1, 3);
        Tensor rows = normal(5, 3);
        Tensor drows = normal(5, 3);
        Tensor dtable = like(table);
        b.scatterRows(drows, ids, dtable);
        assertGradient("gatherRows", table, t -> b.gatherRows(t, ids, rows), rows, drows, dtable);
    }

    @Test void permutesAndCopiesSlices() {
        Tensor x = b.doubles("x", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        Tensor y = b.doubles("y", Shape.of(3, 2), new double[6]);
        b.permute(x, new int[] {1, 0}, y);
        assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, b.toDoubles(y));
        b.copySlice(x, -1, 1, y, 0, 2);
        assertThrows(IndexOutOfBoundsException.class, () -> b.copySlice(x, 0, 1, y, 3, 1));
        Tensor z = b.doubles("z", Shape.of(2, 4), new double[8]);
        b.copySlice(x, 1, 1, z, 2, 2);
        assertArrayEquals(new double[] {0, 0, 2, 3, 0, 0, 5, 6}, b.toDoubles(z));
    }

    @Test void keepsFloat64BehindF32ButRoundsToSixteenBits() {
        Tensor wide = b.empty("wide", Spec.f32(1));
        b.set(wide, 1.0 / 3);
        Tensor master = b.empty("master", Spec.f32(1));
        b.convert(wide, master);
        assertEquals(1.0 / 3, b.toDoubles(master)[0]);
        assertEquals(1 / 3f, b.toFloats(master)[0]);
        Tensor half = b.empty("half", wide.spec().with(DType.BF16));
        b.convert(wide, half);
        assertEquals(0.333984375, b.toDoubles(half)[0]);
    }

    @Test void unwrittenAndFreedTensorsAreNoticed() {
        assertTrue(Double.isNaN(b.toDoubles(b.empty("fresh", Spec.f32(3)))[2]), "unwritten");
        Tensor dead;
        try (Scope _ = b.memory().open("inner")) {
            dead = normal(2);
        }
        IllegalStateException e = assertThrows(IllegalStateException.class, () -> b.toDoubles(dead));
        assertEquals("memory: 'normal' used after it was freed by the end of scope 'inner'", e.getMessage());
    }

    @Test void broadcastsLikeNumPy() {
        Tensor a = b.doubles("a", Shape.of(2, 1, 2), 1, 2, 3, 4);
        Tensor c = b.doubles("c", Shape.of(3, 1), 10, 20, 30);
        Tensor y = b.binary(dev.retrograd.core.Binary.ADD, a, c);
        assertArrayEquals(new double[] {11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34}, b.toDoubles(y));
        assertArrayEquals(new double[] {99, 103.5}, b.toDoubles(b.sumTo(y, 0.75, Shape.of(2))), 1e-12);
        UnaryOperator<double[]> sum = values -> {
            b.set(y, values);
            return b.toDoubles(b.sumTo(y, 0.5, Shape.of(3, 1)));
        };
        double[] dy = random.normalDoubles(3);
        double[] expected = CentralDifferences.gradient(sum, b.toDoubles(y), dy);
        Tensor dx = b.broadcastTo(b.doubles("dy", Shape.of(3, 1), dy), 0.5, y.shape());
        Close.elements("sumTo", expected, b.toDoubles(dx), 1e-8, 1e-7);
    }
}
