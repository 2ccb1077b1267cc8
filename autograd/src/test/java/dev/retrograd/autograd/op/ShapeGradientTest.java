package dev.retrograd.autograd.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.autograd.testing.GradientCheck;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeGradientTest {

    @Test void sumsOverLeadingMiddleAndAllAxes() {
        new GradientCheck(61).normal(2, 3, 5).check(SumTo.all());
        new GradientCheck(62).normal(2, 3, 5).check(new SumTo(Shape.of(5), 0.5));
        new GradientCheck(63).normal(2, 3, 5).check(new SumTo(Shape.of(2, 1, 5), -2));
        new GradientCheck(64).normal(2, 3, 5).check(SumTo.mean(Shape.of(2, 3, 5), Shape.of(2, 1, 1)));
        new GradientCheck(65).normal(3, 5).check(new SumTo(Shape.of(3, 5), 3));
    }

    @Test void broadcasts() {
        new GradientCheck(66).normal(5).check(new BroadcastTo(Shape.of(2, 3, 5)));
        new GradientCheck(67).normal(2, 1, 5).check(new BroadcastTo(Shape.of(2, 3, 5)));
        new GradientCheck(68).normal().check(new BroadcastTo(Shape.of(2, 3)));
    }

    @Test void reshapes() {
        new GradientCheck(69).normal(2, 3, 5).check(new Reshape(Shape.of(6, 5)));
        new GradientCheck(70).normal(6).check(v -> v[0].reshape(2, 3).times(v[0].reshape(2, 3)));
    }

    @ParameterizedTest
    @CsvSource({"0,1,1", "1,0,2", "1,1,3", "2,2,3", "-1,4,1", "1,0,4"})
    void slicesOfAnyAxis(int axis, int start, int count) {
        new GradientCheck(71).normal(3, 4, 5).check(new Slice(axis, start, count));
    }

    @Test void slicesThatOverlapAddUp() {
        new GradientCheck(72).normal(2, 5).check(v -> v[0].apply(new Slice(1, 0, 3)).times(v[0].apply(new Slice(1, 2, 3))));
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "2", "-1"})
    void concatenationAlongAnyAxis(int axis) {
        Shape one = Shape.of(2, 3, 4);
        new GradientCheck(73).normal(2, 3, 4).normal(one.with(axis, 5).toArray()).normal(one.with(axis, 1).toArray()).check(new Concat(axis));
    }

    @Test void concatenationOfATensorWithItself() {
        new GradientCheck(74).normal(2, 3).check(v -> v[0].apply(new Concat(1), v[0], v[0]));
    }

    @Test void permutations() {
        new GradientCheck(75).normal(3, 5).check(new Permute(1, 0));
        new GradientCheck(76).normal(2, 3, 4).check(new Permute(2, 0, 1));
        new GradientCheck(77).normal(2, 3, 4, 5).check(new Permute(0, 3, 1, 2));
        new GradientCheck(78).normal(1, 2, 3, 2, 2, 2).check(new Permute(0, 1, 4, 2, 3, 5));
    }

    @Test void rowsGatheredTwiceAddUp() {
        new GradientCheck(79).normal(3, 5).ids(3, 2, 4).check(new GatherRows());
    }

    @Test void nearestUpsampling() {
        new GradientCheck(80).normal(2, 3, 2, 3).check(new UpsampleNearest(2));
        new GradientCheck(81).normal(1, 2, 3, 1).check(new UpsampleNearest(3));
    }

    @ParameterizedTest
    @CsvSource({"BILINEAR,false,3,4", "BILINEAR,true,3,4", "BICUBIC,false,3,4", "BICUBIC,true,3,4", "BICUBIC,true,9,11", "BILINEAR,false,9,11"})
    void resampling(Resampling.Filter filter, boolean antialias, int height, int width) {
        new GradientCheck(82).normal(1, 5, 7, 2).check(new Resize(new Resampling(filter, antialias), height, width));
    }

    @Test void saysWhatInputsMustBe() {
        Spec x = Spec.f32(2, 3, 5);
        assertShapeError("sumTo: [3] must broadcast to the input, got [2,3,5]", () -> new SumTo(Shape.of(3), 1).out(x));
        assertShapeError("broadcastTo: the input must broadcast to [4,3], got [2,3,5]", () -> new BroadcastTo(Shape.of(4, 3)).out(x));
        assertShapeError("reshape: [7] must have as many elements as the input, got [2,3,5]", () -> new Reshape(Shape.of(7)).out(x));
        assertShapeError("slice: entries 1..4 must lie within axis 1, got [2,3,5]", () -> new Slice(1, 1, 3).out(x));
        assertShapeError("slice: entries -1..2 must lie within axis 1, got [2,3,5]", () -> new Slice(1, -1, 3).out(x));
        assertShapeError("concat: inputs must agree but for axis 1, got [2,3,5] and [2,3,4]", () -> new Concat(1).out(x, Spec.f32(2, 3, 4)));
        assertShapeError("permute: axes [0, 0, 1] must name each axis once, got [2,3,5]", () -> new Permute(0, 0, 1).out(x));
        assertShapeError("permute: at most 6 axes can be reordered, got [1,1,1,1,1,1,1]",
                () -> new Permute(0, 1, 2, 3, 4, 5, 6).out(Spec.f32(1, 1, 1, 1, 1, 1, 1)));
        assertShapeError("gatherRows: table must be [V,C], got [2,3,5]", () -> new GatherRows().out(x, Spec.f32(2)));
        assertEquals("gatherRows: ids must be I32, got [2] F32",
                assertThrows(DTypeException.class, () -> new GatherRows().out(Spec.f32(2, 3), Spec.f32(2))).getMessage());
        assertShapeError("upsampleNearest: x must be [B,H,W,C], got [2,3,5]", () -> new UpsampleNearest(2).out(x));
        assertShapeError("resize: x must be [B,H,W,C], got [2,3,5]",
                () -> new Resize(new Resampling(Resampling.Filter.BILINEAR, false), 2, 2).out(x));
        assertEquals("upsampleNearest: factor must be 1 or more, got 0",
                assertThrows(IllegalArgumentException.class, () -> new UpsampleNearest(0)).getMessage());
        assertEquals("resize: height and width must be 1 or more, got 0×2",
                assertThrows(IllegalArgumentException.class, () -> new Resize(new Resampling(Resampling.Filter.BILINEAR, false), 0, 2)).getMessage());
    }

    private static void assertShapeError(String message, Runnable code) {
        assertEquals(message, assertThrows(ShapeException.class, code::run).getMessage());
    }
}
