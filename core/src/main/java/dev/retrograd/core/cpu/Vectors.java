package dev.retrograd.core.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/// Float vectors to and from native memory by address, whose range the caller has checked; indices count floats.
final class Vectors {
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

    static FloatVector load(long x, int i) {
        return load(x + i * 4L);
    }

    /// Elements `i … n−1`, fewer than a vector; the other lanes are 0.
    static FloatVector loadTail(long x, int i, int n) {
        return load(x + i * 4L, VectorMath.firstLanes(n - i));
    }

    static void store(long y, int i, FloatVector v) {
        v.intoMemorySegment(Native.ALL, y + i * 4L, Native.LE);
    }

    /// Only lanes that belong to elements `i … n−1`.
    static void storeTail(long y, int i, int n, FloatVector v) {
        v.intoMemorySegment(Native.ALL, y + i * 4L, Native.LE, VectorMath.firstLanes(n - i));
    }
}
