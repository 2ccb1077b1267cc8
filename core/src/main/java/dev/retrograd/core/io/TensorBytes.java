package dev.retrograd.core.io;

import dev.retrograd.core.DType;
import dev.retrograd.core.Spec;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.IntFunction;

/// What readers of tensor files share: little-endian layouts, and conversions from them.
final class TensorBytes {
    /// As many first bytes as tell the formats apart.
    static final int MAGIC_BYTES = 9;
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private TensorBytes() {
    }

    @FunctionalInterface interface IndexToFloat {
        float at(int i);
    }

    static void fill(float[] values, IndexToFloat f) {
        for (int i = 0; i < values.length; i++) {
            values[i] = f.at(i);
        }
    }

    static <A> A array(String source, String name, Spec spec, IntFunction<A> create) throws ModelFormatException {
        long elements = spec.shape().elements();
        if (elements > Integer.MAX_VALUE - 8) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " must fit into an array, got " + elements + " elements");
        }
        return create.apply((int) elements);
    }

    /// @throws ModelFormatException if no {@link DType} has this name
    static DType dtype(String source, String name, String dtype) throws ModelFormatException {
        for (DType d : DType.values()) {
            if (d.name().equals(dtype)) {
                return d;
            }
        }
        throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " must be one of " + Arrays.toString(DType.values()) + ", got " + dtype);
    }

    /// Whether 32- or 16-bit floating-point values are all finite, found eight bytes at a time.
    ///
    /// A value is infinite or NaN where its exponent has all bits set; of the complemented exponents, one is zero then.
    static boolean finite(MemorySegment s, DType type) {
        long exponent = switch (type) {
            case F32 -> 0x7F80_0000_7F80_0000L;
            case F16 -> 0x7C00_7C00_7C00_7C00L;
            case BF16 -> 0x7F80_7F80_7F80_7F80L;
            case F64, I64, I32, U8 -> throw new IllegalArgumentException("finite: F32, F16 or BF16 is required, got " + type);
        };
        long ones = type == DType.F32 ? 0x0000_0001_0000_0001L : 0x0001_0001_0001_0001L;
        long tops = type == DType.F32 ? 0x8000_0000_8000_0000L : 0x8000_8000_8000_8000L;
        long whole = s.byteSize() / Long.BYTES * Long.BYTES;
        long zeros = 0;
        for (long at = 0; at < whole; at += Long.BYTES) {
            long missing = ~s.get(LONG, at) & exponent;
            zeros |= missing - ones & ~missing & tops;
        }
        for (long at = whole; at < s.byteSize(); at += type.bytes()) {
            int bits = type == DType.F32 ? s.get(INT, at) : s.get(SHORT, at);
            zeros |= (~bits & (int) exponent & (type == DType.F32 ? -1 : 0xFFFF)) == 0 ? tops : 0;
        }
        return zeros == 0;
    }
}
