package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Reads operands that rest in 32 or 16 bits as float32.
final class Widening {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> S =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

    private Widening() {}

    /// @throws DTypeException unless products read this type
    static void require(String where, DType type) {
        if (type != DType.F32 && type != DType.F16 && type != DType.BF16) {
            throw new DTypeException(where + ": operands must be F32, F16 or BF16, got " + type);
        }
    }

    /// @param weight whether 16 bits are allowed
    /// @throws DTypeException unless the tensor is `F32`, or a weight that products read
    static void require(String where, Tensor t, boolean weight) {
        boolean half = weight && (t.dtype() == DType.F16 || t.dtype() == DType.BF16);
        if (t.dtype() != DType.F32 && !half) {
            throw new DTypeException(where + ": " + (weight ? "F32, F16 or BF16" : "F32") + " is required, got " + t);
        }
    }

    /// Reads `count` consecutive elements as float32 into an array.
    static void read(DType type, long from, float[] to, int at, int count) {
        switch (type) {
            case F32 -> Native.copy(from, to, at, count);
            case F16 -> readHalf(from, to, at, count);
            case BF16 -> readBrain(from, to, at, count);
            case F64, I64, I32, U8 -> throw new AssertionError(type);
        }
    }

    /// Reads `count` consecutive elements as float32 into native memory.
    static void read(DType type, long from, long to, int count) {
        switch (type) {
            case F32 -> Native.copy(from, to, count);
            case F16 -> readHalf(from, to, count);
            case BF16 -> readBrain(from, to, count);
            case F64, I64, I32, U8 -> throw new AssertionError(type);
        }
    }

    /// Reads `count` consecutive elements as float32, `width` of them to each panel; panels are `panelBytes` apart.
    static void readPanels(DType type, long from, long to, int count, int width, long panelBytes) {
        for (int i = 0; i < count; i += width) {
            read(type, from + (long) i * type.bytes(), to + i / width * panelBytes, Math.min(width, count - i));
        }
    }

    private static void readHalf(long from, float[] to, int at, int count) {
        int i = 0;
        for (; i <= count - F.length(); i += F.length()) {
            halfToFloat(from + i * 2L).intoArray(to, at + i);
        }
        for (; i < count; i++) {
            to[at + i] = Float.float16ToFloat(ALL.get(JAVA_SHORT_UNALIGNED, from + i * 2L));
        }
    }

    private static void readHalf(long from, long to, int count) {
        int i = 0;
        for (; i <= count - F.length(); i += F.length()) {
            halfToFloat(from + i * 2L).intoMemorySegment(ALL, to + i * 4L, LE);
        }
        for (; i < count; i++) {
            float value = Float.float16ToFloat(ALL.get(JAVA_SHORT_UNALIGNED, from + i * 2L));
            ALL.set(JAVA_FLOAT_UNALIGNED, to + i * 4L, value);
        }
    }

    private static void readBrain(long from, float[] to, int at, int count) {
        int i = 0;
        for (; i <= count - F.length(); i += F.length()) {
            brainToFloat(from + i * 2L).intoArray(to, at + i);
        }
        for (; i < count; i++) {
            to[at + i] = Float.intBitsToFloat(ALL.get(JAVA_SHORT_UNALIGNED, from + i * 2L) << 16);
        }
    }

    private static void readBrain(long from, long to, int count) {
        int i = 0;
        for (; i <= count - F.length(); i += F.length()) {
            brainToFloat(from + i * 2L).intoMemorySegment(ALL, to + i * 4L, LE);
        }
        for (; i < count; i++) {
            int bits = ALL.get(JAVA_SHORT_UNALIGNED, from + i * 2L) << 16;
            ALL.set(JAVA_INT_UNALIGNED, to + i * 4L, bits);
        }
    }

    private static FloatVector brainToFloat(long from) {
        return bits(from).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /// Moves the ten mantissa bits up by 13 and rebases the exponent from 15 to 127. An exponent of 31 (infinity, NaN) is
    /// rebased twice, to 255; an exponent of 0 is a subnormal, mantissa·2⁻²⁴, exact in float32.
    private static FloatVector halfToFloat(long from) {
        IntVector h = bits(from);
        IntVector magnitude = h.and(0x7fff);
        IntVector sign = h.and(0x8000).lanewise(VectorOperators.LSHL, 16);
        IntVector normal = magnitude.lanewise(VectorOperators.LSHL, 13).add(112 << 23);
        VectorMask<Integer> special = magnitude.compare(VectorOperators.GE, 0x7c00);
        VectorMask<Integer> tiny = magnitude.compare(VectorOperators.LT, 0x0400);
        IntVector subnormal = ((FloatVector) magnitude.convertShape(VectorOperators.I2F, F, 0))
                .mul(0x1p-24f).reinterpretAsInts();
        return normal.blend(normal.add(112 << 23), special).blend(subnormal, tiny).or(sign).reinterpretAsFloats();
    }

    private static IntVector bits(long from) {
        return (IntVector) ShortVector.fromMemorySegment(S, ALL, from, LE)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
    }
}
