package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.retrograd.core.DType;
import java.lang.foreign.MemorySegment;

/// How far results are from expected ones: the most that an element is away, over the sum of its own expected size and the root of the mean square of all.
final class Distance {
    private final DType type;
    private final MemorySegment expected;
    private final long elements;
    private final double typical;

    /// @param type of floats of 32 or 16 bits
    Distance(DType type, MemorySegment expected) {
        this.type = type;
        this.expected = expected;
        elements = expected.byteSize() / type.bytes();
        double squares = 0;
        for (long i = 0; i < elements; i++) {
            double v = at(expected, i);
            squares += v * v;
        }
        typical = Math.sqrt(squares / elements);
    }

    /// Whether the expected results tell right ones from wrong ones: not all are zero, and all are finite.
    boolean says() {
        return typical > 0 && typical < Double.POSITIVE_INFINITY;
    }

    /// @return NaN if one is not a number
    double of(MemorySegment results) {
        double most = 0;
        for (long i = 0; i < elements; i++) {
            double right = at(expected, i);
            most = Math.max(most, Math.abs(at(results, i) - right) / (Math.abs(right) + typical));
        }
        return most;
    }

    private double at(MemorySegment values, long i) {
        return switch (type) {
            case F32 -> values.getAtIndex(JAVA_FLOAT, i);
            case F16 -> Float.float16ToFloat(values.getAtIndex(JAVA_SHORT, i));
            case BF16 -> DType.bf16ToFloat(values.getAtIndex(JAVA_SHORT, i));
            default -> throw new AssertionError(type);
        };
    }
}
