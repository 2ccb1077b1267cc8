package dev.retrograd.unet.file;

import dev.retrograd.core.DType;
import java.lang.foreign.MemorySegment;

/// Float32 values as files hold them.
public final class Halves {
    private Halves() {
    }

    /// The values in a floating-point type of 32 or 16 bits, rounded to nearest.
    ///
    /// @throws IllegalArgumentException for another type
    public static MemorySegment bytes(float[] values, DType type) {
        return switch (type) {
            case F32 -> MemorySegment.ofArray(values);
            case F16, BF16 -> {
                short[] half = new short[values.length];
                for (int i = 0; i < half.length; i++) {
                    half[i] = type == DType.F16 ? Float.floatToFloat16(values[i]) : DType.floatToBf16(values[i]);
                }
                yield MemorySegment.ofArray(half);
            }
            case F64 -> {
                double[] wide = new double[values.length];
                for (int i = 0; i < wide.length; i++) {
                    wide[i] = values[i];
                }
                yield MemorySegment.ofArray(wide);
            }
            case I64, I32, U8 -> throw new IllegalArgumentException("weights: F64, F32, F16 or BF16 is required, got " + type);
        };
    }
}
