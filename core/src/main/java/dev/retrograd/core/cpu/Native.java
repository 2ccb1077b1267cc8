package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Native memory by address, for loops whose operands were checked once, before them.
///
/// One constant segment over the whole address space lets the compiler drop every bounds and liveness check from a kernel,
/// and keeps mapped and allocated memory on one compiled path. Whoever calls in here has proved the range to be alive and
/// inside its segment: [Matrix#checkedAddress] does.
final class Native {

    @SuppressWarnings("restricted")
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    /// The width that every machine has, for what is shorter than a preferred vector.
    private static final VectorSpecies<Float> QUAD = FloatVector.SPECIES_128;

    private Native() {}

    /// The floats from an address on, for code that need not be fast.
    static MemorySegment floats(long address, int count) {
        return ALL.asSlice(address, count * 4L);
    }

    /// Copies `count` floats from native memory into an array.
    static void copy(long from, float[] to, int at, int count) {
        int lanes = F.length();
        if (count < lanes) {
            int i = 0;
            for (; i <= count - QUAD.length(); i += QUAD.length()) {
                FloatVector.fromMemorySegment(QUAD, ALL, from + i * 4L, LE).intoArray(to, at + i);
            }
            for (; i < count; i++) {
                to[at + i] = ALL.get(JAVA_FLOAT_UNALIGNED, from + i * 4L);
            }
            return;
        }
        int last = count - lanes;
        for (int i = 0; i < last; i += lanes) {
            FloatVector.fromMemorySegment(F, ALL, from + i * 4L, LE).intoArray(to, at + i);
        }
        FloatVector.fromMemorySegment(F, ALL, from + last * 4L, LE).intoArray(to, at + last);
    }

    /// Copies `count` floats from native memory to native memory; the ranges do not overlap.
    static void copy(long from, long to, int count) {
        int lanes = F.length();
        if (count < lanes) {
            int i = 0;
            for (; i <= count - QUAD.length(); i += QUAD.length()) {
                FloatVector.fromMemorySegment(QUAD, ALL, from + i * 4L, LE).intoMemorySegment(ALL, to + i * 4L, LE);
            }
            for (; i < count; i++) {
                ALL.set(JAVA_FLOAT_UNALIGNED, to + i * 4L, ALL.get(JAVA_FLOAT_UNALIGNED, from + i * 4L));
            }
            return;
        }
        int last = count - lanes;
        for (int i = 0; i < last; i += lanes) {
            FloatVector.fromMemorySegment(F, ALL, from + i * 4L, LE).intoMemorySegment(ALL, to + i * 4L, LE);
        }
        FloatVector.fromMemorySegment(F, ALL, from + last * 4L, LE).intoMemorySegment(ALL, to + last * 4L, LE);
    }

    /// Writes `count` zeros.
    static void zero(long to, int count) {
        int i = 0;
        for (; i <= count - F.length(); i += F.length()) {
            FloatVector.zero(F).intoMemorySegment(ALL, to + i * 4L, LE);
        }
        for (; i < count; i++) {
            ALL.set(JAVA_FLOAT_UNALIGNED, to + i * 4L, 0f);
        }
    }

    /// Copies a large aligned block: slower to start than the loops above, as fast after.
    static void copyBlock(long from, float[] to, int count) {
        MemorySegment.copy(ALL, JAVA_FLOAT, from, to, 0, count);
    }
}
