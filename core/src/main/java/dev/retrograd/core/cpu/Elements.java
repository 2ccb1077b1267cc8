package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;

/// Single elements of any type, and the check that a kernel takes a type: for code that need not be fast.
final class Elements {
    private Elements() {
    }

    /// The element as float64; exact but for an `I64` beyond 2⁵³.
    static double get(DType type, MemorySegment data, long i) {
        return switch (type) {
            case F64 -> data.get(JAVA_DOUBLE_UNALIGNED, i * 8);
            case F32 -> data.get(JAVA_FLOAT_UNALIGNED, i * 4);
            case F16 -> Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, i * 2));
            case BF16 -> DType.bf16ToFloat(data.get(JAVA_SHORT_UNALIGNED, i * 2));
            case I64, I32, U8 -> getLong(type, data, i);
        };
    }

    /// Stores the value: rounded to nearest, ties to even; in integers truncated and limited to their range, NaN as 0.
    static void set(DType type, MemorySegment data, long i, double value) {
        switch (type) {
            case F64 -> data.set(JAVA_DOUBLE_UNALIGNED, i * 8, value);
            case F32 -> data.set(JAVA_FLOAT_UNALIGNED, i * 4, (float) value);
            case F16 -> data.set(JAVA_SHORT_UNALIGNED, i * 2, Float.floatToFloat16(roundToOdd(value)));
            case BF16 -> data.set(JAVA_SHORT_UNALIGNED, i * 2, DType.floatToBf16(roundToOdd(value)));
            case I64, I32, U8 -> setLong(type, data, i, (long) value);
        }
    }

    static long getLong(DType type, MemorySegment data, long i) {
        return switch (type) {
            case I64 -> data.get(JAVA_LONG_UNALIGNED, i * 8);
            case I32 -> data.get(JAVA_INT_UNALIGNED, i * 4);
            case U8 -> Byte.toUnsignedLong(data.get(JAVA_BYTE, i));
            case F64, F32, F16, BF16 -> throw new AssertionError(type);
        };
    }

    static void setLong(DType type, MemorySegment data, long i, long value) {
        switch (type) {
            case I64 -> data.set(JAVA_LONG_UNALIGNED, i * 8, value);
            case I32 -> data.set(JAVA_INT_UNALIGNED, i * 4, Math.clamp(value, Integer.MIN_VALUE, Integer.MAX_VALUE));
            case U8 -> data.set(JAVA_BYTE, i, (byte) Math.clamp(value, 0, 255));
            case F64, F32, F16, BF16 -> throw new AssertionError(type);
        }
    }

    /// A float on the way to a narrower type: where float32 cannot hold the value, the neighbour with the odd last bit, so that rounding
    /// again gives what rounding once would.
    private static float roundToOdd(double value) {
        float f = (float) value;
        if (f == value || Double.isNaN(value) || Float.isInfinite(f)) {
            return f;
        }
        int bits = Float.floatToRawIntBits(f);
        if ((bits & 1) == 1) {
            return f;
        }
        return Float.intBitsToFloat(Math.abs(f) < Math.abs(value) ? bits + 1 : bits - 1);
    }

    /// @throws DTypeException unless the tensor holds this type
    static void require(String kernel, DType type, Tensor t) {
        if (t.dtype() != type) {
            throw new DTypeException(kernel + ": " + type + " is required, got " + t);
        }
    }

    /// @return whether they are `F64`; otherwise they are `F32`
    /// @throws DTypeException unless all are `F32` or all are `F64`
    static boolean isDouble(String kernel, Tensor... tensors) {
        DType type = tensors[0].dtype();
        for (Tensor t : tensors) {
            if (t.dtype() != type || type != DType.F32 && type != DType.F64) {
                throw new DTypeException(kernel + ": all F32 or all F64 are required, got " + tensors[0] + " and " + t);
            }
        }
        return type == DType.F64;
    }
}
