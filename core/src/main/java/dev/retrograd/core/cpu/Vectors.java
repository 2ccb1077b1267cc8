package dev.retrograd.core.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/// Float vectors to and from native memory; indices count floats.
final class Vectors {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Vectors() {
    }

    static FloatVector load(MemorySegment x, int i) {
        return FloatVector.fromMemorySegment(VectorMath.FLOATS, x, i * 4L, ORDER);
    }

    /// Elements `i … n−1`, fewer than a vector; the other lanes are 0.
    static FloatVector loadTail(MemorySegment x, int i, int n) {
        return FloatVector.fromMemorySegment(VectorMath.FLOATS, x, i * 4L, ORDER, VectorMath.firstLanes(n - i));
    }

    static void store(MemorySegment y, int i, FloatVector v) {
        v.intoMemorySegment(y, i * 4L, ORDER);
    }

    /// Only lanes that belong to elements `i … n−1`.
    static void storeTail(MemorySegment y, int i, int n, FloatVector v) {
        v.intoMemorySegment(y, i * 4L, ORDER, VectorMath.firstLanes(n - i));
    }
}
