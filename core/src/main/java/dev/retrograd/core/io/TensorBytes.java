package dev.retrograd.core.io;

import dev.retrograd.core.DType;
import dev.retrograd.core.Spec;
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
}
