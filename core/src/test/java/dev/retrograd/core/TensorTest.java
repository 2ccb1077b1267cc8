package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class TensorTest {
    private final Memory memory = new PlanBackend("cpu", 0).memory();

    @Test void viewsShareTheStorage() {
        Tensor x = memory.allocate("x", new Spec(Shape.of(4, 6), DType.F16));
        Tensor rows = x.leading(1, 2);
        assertSame(x.storage(), rows.storage());
        assertEquals(12, rows.byteOffset());
        assertEquals(Shape.of(2, 6), rows.shape());
        Tensor deeper = rows.reshape(3, 4).leading(2, 1);
        assertEquals(12 + 2 * 4 * 2, deeper.byteOffset());
        assertEquals("'x' [1,4] F16", deeper.toString());
        assertEquals(0, x.leading(4, 0).elements());
    }

    @Test void refusesViewsThatDoNotFit() {
        Tensor x = memory.allocate("x", Spec.f32(4, 6));
        assertEquals("reshape: [5,5] must have the 24 elements of 'x' [4,6], got 25",
                assertThrows(ShapeException.class, () -> x.reshape(5, 5)).getMessage());
        assertEquals("leading: entries must lie within 0..4 of 'x' [4,6], got 3..5",
                assertThrows(ShapeException.class, () -> x.leading(3, 2)).getMessage());
        assertThrows(ShapeException.class, () -> x.leading(-1, 2));
        assertThrows(ShapeException.class, () -> new Tensor("beyond", Spec.f32(24), x.storage(), 64));
    }

    @Test void shapesKnowTheirSizes() {
        Shape s = Shape.of(2, 3, 5, 7);
        assertEquals(210, s.elements());
        assertEquals(30, s.rows());
        assertEquals(7, s.channels());
        assertEquals(5, s.dim(-2));
        assertEquals(15, s.span(1, 3));
        assertEquals(Shape.of(2, 3, 5, 9), s.with(-1, 9));
        assertEquals(1, Shape.of().elements());
        assertEquals(1, Shape.of().rows());
        assertEquals(0, Shape.of(3, 0).elements());
        assertEquals(4L << 40, Shape.of(1 << 20, 1 << 20, 4).elements());
        assertEquals("shape: axis must be -4..3 for [2,3,5,7], got 4", assertThrows(ShapeException.class, () -> s.dim(4)).getMessage());
        assertEquals("shape: sizes must be 0 or more, got [2, -1]", assertThrows(ShapeException.class, () -> Shape.of(2, -1)).getMessage());
    }

    @Test void broadcastingFollowsNumPy() {
        assertEquals(Shape.of(2, 3, 5), Shape.broadcast(Shape.of(2, 1, 5), Shape.of(3, 1)));
        assertEquals(Shape.of(4), Shape.broadcast(Shape.of(), Shape.of(4)));
        assertEquals(Shape.of(0, 3), Shape.broadcast(Shape.of(1, 3), Shape.of(0, 1)));
        assertEquals("broadcast: sizes must agree or be 1, got [2,3] and [2]",
                assertThrows(ShapeException.class, () -> Shape.broadcast(Shape.of(2, 3), Shape.of(2))).getMessage());
    }

    @Test void broadcastsToLeavesTheTargetAsItIs() {
        assertEquals(true, Shape.of(1, 3).broadcastsTo(Shape.of(2, 3)));
        assertEquals(true, Shape.of().broadcastsTo(Shape.of()));
        assertEquals(false, Shape.of(2, 3).broadcastsTo(Shape.of(1, 3)));
        assertEquals(false, Shape.of(1, 3).broadcastsTo(Shape.of(3)));
    }

    @Test void bfloat16RoundsToNearestEven() {
        assertEquals(0x3F80, DType.floatToBf16(1) & 0xFFFF);
        assertEquals(0x3F80, DType.floatToBf16(1 + 0x1p-8f) & 0xFFFF, "a tie goes to the even neighbour, here down");
        assertEquals(0x3F82, DType.floatToBf16(1 + 3 * 0x1p-8f) & 0xFFFF, "a tie goes to the even neighbour, here up");
        assertEquals(0x3F81, DType.floatToBf16(Math.nextUp(1 + 0x1p-8f)) & 0xFFFF);
        assertEquals(Float.POSITIVE_INFINITY, DType.bf16ToFloat(DType.floatToBf16(Float.MAX_VALUE)));
        assertEquals(-0f, DType.bf16ToFloat(DType.floatToBf16(-0f)));
    }

    @Test void bfloat16KeepsEveryNaNAndEveryOwnValue() {
        assertEquals(Float.NaN, DType.bf16ToFloat(DType.floatToBf16(Float.intBitsToFloat(0x7F800001))));
        assertEquals(Float.NaN, DType.bf16ToFloat(DType.floatToBf16(Float.intBitsToFloat(-1))));
        for (int bits = 0; bits < 0x10000; bits++) {
            float value = DType.bf16ToFloat((short) bits);
            if (!Float.isNaN(value)) {
                assertEquals((short) bits, DType.floatToBf16(value));
            }
        }
    }
}
