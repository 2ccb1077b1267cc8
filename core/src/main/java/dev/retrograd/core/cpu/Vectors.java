package dev.retrograd.core.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/// Float vectors to and from native memory; indices count floats.
final class Vectors {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Vectors() {
    }

    /// Which lanes of two vectors, one after the other, alternate from `first` on: `zip(s, 0).selectFrom(a, b)` has the lower halves' lanes in turn. Two vectors are
    /// so interleaved by one instruction of AVX-512, where a shuffle of both takes three and costs the compiler five times the memory; elsewhere they take as long.
    static IntVector zip(VectorSpecies<Integer> species, int first) {
        int[] lanes = new int[species.length()];
        for (int i = 0; i < lanes.length; i++) {
            lanes[i] = first + i / 2 + i % 2 * lanes.length;
        }
        return IntVector.fromArray(species, lanes, 0);
    }

    /// From an address in live memory.
    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(VectorMath.FLOATS, Native.ALL, address, Native.LE);
    }

    /// The lanes of the mask from an address in live memory; the others are 0.
    static FloatVector load(long address, VectorMask<Float> lanes) {
        return FloatVector.fromMemorySegment(VectorMath.FLOATS, Native.ALL, address, Native.LE, lanes);
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
