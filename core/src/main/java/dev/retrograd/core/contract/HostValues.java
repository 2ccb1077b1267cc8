package dev.retrograd.core.contract;

import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Arrays of doubles to and from the bytes of any element type, by the JDK's own conversions.
final class HostValues {
    private HostValues() {
    }

    static MemorySegment encode(DType dtype, double... values) {
        MemorySegment s = MemorySegment.ofArray(new long[Math.ceilDiv(values.length * dtype.bytes(), Long.BYTES)]).asSlice(0, (long) values.length * dtype.bytes());
        for (int i = 0; i < values.length; i++) {
            switch (dtype) {
                case F64 -> s.setAtIndex(ValueLayout.JAVA_DOUBLE, i, values[i]);
                case F32 -> s.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
                case F16 -> s.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16((float) values[i]));
                case BF16 -> s.setAtIndex(ValueLayout.JAVA_SHORT, i, DType.floatToBf16((float) values[i]));
                case I64 -> s.setAtIndex(ValueLayout.JAVA_LONG, i, (long) values[i]);
                case I32 -> s.setAtIndex(ValueLayout.JAVA_INT, i, (int) values[i]);
                case U8 -> s.setAtIndex(ValueLayout.JAVA_BYTE, i, (byte) (int) values[i]);
            }
        }
        return s;
    }

    static double[] download(Backend b, Tensor t) {
        double[] values = new double[Math.toIntExact(t.elements())];
        MemorySegment s = encode(t.dtype(), values);
        b.download(t, s);
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (t.dtype()) {
                case F64 -> s.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
                case F32 -> s.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                case F16 -> Float.float16ToFloat(s.getAtIndex(ValueLayout.JAVA_SHORT, i));
                case BF16 -> DType.bf16ToFloat(s.getAtIndex(ValueLayout.JAVA_SHORT, i));
                case I64 -> s.getAtIndex(ValueLayout.JAVA_LONG, i);
                case I32 -> s.getAtIndex(ValueLayout.JAVA_INT, i);
                case U8 -> s.getAtIndex(ValueLayout.JAVA_BYTE, i) & 0xFF;
            };
        }
        return values;
    }
}
