package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.RandomValues;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What only large or lopsided shapes reach: chunks, blocks of columns, rows longer than a chunk. The rest is the contract's.
class CpuReductionTest {
    private final CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withThreads(2).withPoison());

    @AfterEach void close() {
        b.close();
    }

    @Test void sumsOfEveryPatternAcrossChunks() {
        int[][][] cases = {
            {{100_003}, {}}, {{3, 50_001}, {3, 1}}, {{40_001, 3}, {3}}, {{70, 1300}, {1300}}, {{2, 900, 33}, {2, 1, 33}}, {{5, 7000, 2}, {5, 1, 1}},
            {{2, 1, 40_000}, {1, 1, 40_000}}, {{3, 17, 5, 130}, {1, 17, 1, 130}}, {{2, 3, 5, 7}, {2, 3, 5, 7}}, {{1, 1}, {1}},
        };
        for (int[][] c : cases) {
            Shape from = Shape.of(c[0]);
            Shape to = Shape.of(c[1]);
            float[] x = new RandomValues(3).normal(from.elements());
            double[] want = new double[(int) to.elements()];
            Walk walk = Walk.of(from, to);
            for (int i = 0; i < x.length; i++) {
                want[(int) (walk.offset(0, i / walk.length()) + i % walk.length() * walk.step(0))] += 0.5 * x[i];
            }
            float[] got = b.toFloats(b.sumTo(b.floats("x", from, x), 0.5, to));
            for (int i = 0; i < want.length; i++) {
                assertEquals((float) want[i], got[i], Math.abs(want[i]) * 1e-6 + 1e-9, from + " to " + to + " at " + i);
            }
        }
    }

    @Test void walksByHand() {
        Walk same = Walk.of(Shape.of(2, 3, 5), Shape.of(2, 3, 5), Shape.of(2, 3, 5));
        assertArrayEquals(new int[] {30}, same.sizes());
        Walk perImage = Walk.of(Shape.of(2, 4, 5, 7), Shape.of(2, 1, 1, 7));
        assertArrayEquals(new int[] {2, 20, 7}, perImage.sizes());
        assertArrayEquals(new long[] {7, 0, 1}, perImage.strides()[0]);
        assertEquals(40, perImage.rows());
        assertEquals(7, perImage.offset(0, 20));
        Walk heads = Walk.permuted(Shape.of(2, 6, 3, 5), new int[] {0, 2, 1, 3});
        assertArrayEquals(new int[] {2, 3, 6, 5}, heads.sizes());
        assertArrayEquals(new long[] {90, 5, 15, 1}, heads.strides()[0]);
        Walk images = Walk.permuted(Shape.of(2, 4, 5, 3), new int[] {0, 3, 1, 2});
        assertArrayEquals(new int[] {2, 3, 20}, images.sizes());
    }

    @Test void anEmptySumIsZero() {
        assertArrayEquals(new float[] {0, 0, 0}, b.toFloats(b.sumTo(b.empty("x", Spec.f32(0, 3)), 1, Shape.of(3))));
    }

    @Test void theNormOfManyTensorsIsThatOfAllTheirElements() {
        Tensor y = b.empty("norm", Spec.f32());
        float[] ones = new float[90_000];
        Arrays.fill(ones, 2);
        b.globalNorm(List.of(b.floats("x", Shape.of(90_000), ones), b.floats("y", Shape.of(1), 600), b.empty("none", Spec.f32(0))), y);
        assertEquals((float) Math.sqrt(360_000 + 360_000), b.toFloats(y)[0]);
    }

    @Test void refusesShapesThatDoNotBroadcast() {
        Tensor x = b.floats("x", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        assertEquals("sumTo: 'y' [2] F32 must broadcast to 'x' [2,3] F32, got shapes that do not",
                assertThrows(ShapeException.class, () -> b.sumTo(x, 1, b.empty("y", Spec.f32(2)))).getMessage());
    }

    @Test void gatheringRefusesIdsOutsideTheTableByPosition() {
        Tensor table = b.floats("table", Shape.of(3, 1), 1, 2, 3);
        Tensor y = b.empty("y", Spec.f32(2, 1));
        assertEquals("gatherRows: ids must be 0..2, got 3 at 1 of 'ids'",
                assertThrows(IllegalArgumentException.class, () -> b.gatherRows(table, b.ints("ids", Shape.of(2), 0, 3), y)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> b.scatterRows(y, b.ints("ids", Shape.of(2), -1, 0), table));
    }

    @Test void permuteAndCopySliceRefuseWhatDoesNotFit() {
        Tensor x = b.floats("x", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        assertThrows(ShapeException.class, () -> b.permute(x, new int[] {1, 0}, b.empty("y", Spec.f32(2, 3))));
        assertThrows(ShapeException.class, () -> b.permute(x, new int[] {0, 0}, b.empty("y", Spec.f32(2, 2))));
        assertEquals("copySlice: entries 1..4 of axis 1 of 'x' [2,3] F32 must fit into 'y' [2,3] F32 from 0 on",
                assertThrows(ShapeException.class, () -> b.copySlice(x, -1, 1, b.empty("y", Spec.f32(2, 3)), 0, 3)).getMessage());
    }
}
