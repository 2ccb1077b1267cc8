package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.fail;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/// Seeded operands in native memory, and the tolerance of the CPU kernels' tests.
final class Operands {

    private Operands() {}

    /// @return `count` elements from U(-1, 1), rounded to `type`
    static MemorySegment random(Arena arena, DType type, long count, long seed) {
        MemorySegment segment = arena.allocate(Math.max(1, count * type.bytes()), 64);
        fill(segment, type, count, seed);
        return segment;
    }

    /// Overwrites `count` elements with values from U(-1, 1), rounded to `type`.
    static void fill(MemorySegment segment, DType type, long count, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (long i = 0; i < count; i++) {
            write(segment, type, i, (float) random.nextDouble(-1, 1));
        }
    }

    static void write(MemorySegment segment, DType type, long index, float value) {
        switch (type) {
            case F32 -> segment.setAtIndex(JAVA_FLOAT, index, value);
            case F16 -> segment.set(JAVA_SHORT_UNALIGNED, index * 2, Float.floatToFloat16(value));
            case BF16 -> segment.set(JAVA_SHORT_UNALIGNED, index * 2, (short) (Float.floatToRawIntBits(value) >>> 16));
            case F64, I64, I32, U8 -> throw new AssertionError(type);
        }
    }

    static float read(MemorySegment segment, DType type, long byteOffset) {
        return switch (type) {
            case F32 -> segment.get(JAVA_FLOAT_UNALIGNED, byteOffset);
            case F16 -> Float.float16ToFloat(segment.get(JAVA_SHORT_UNALIGNED, byteOffset));
            case BF16 -> Float.intBitsToFloat(segment.get(JAVA_SHORT_UNALIGNED, byteOffset) << 16);
            case F64, I64, I32, U8 -> throw new AssertionError(type);
        };
    }

    static float[] floats(MemorySegment segment) {
        return segment.toArray(JAVA_FLOAT);
    }

    /// Fails unless every error against `exact` is at most twice the largest of the naive float32 result, plus 1e-6 of the
    /// largest value.
    static void assertClose(String name, double[] exact, float[] naive, float[] actual) {
        double naiveError = 0;
        double largest = 0;
        for (int i = 0; i < exact.length; i++) {
            naiveError = Math.max(naiveError, Math.abs(naive[i] - exact[i]));
            largest = Math.max(largest, Math.abs(exact[i]));
        }
        double tolerance = 2 * naiveError + 1e-6 * largest;
        int wrong = 0;
        int worst = 0;
        for (int i = 0; i < exact.length; i++) {
            double error = Math.abs(actual[i] - exact[i]);
            if (!(error <= tolerance)) {
                wrong++;
                if (!(error <= Math.abs(actual[worst] - exact[worst]))) {
                    worst = i;
                }
            }
        }
        if (wrong > 0) {
            fail("%s: %d of %d values off by more than %.2e; at %d expected %s, got %s"
                    .formatted(name, wrong, exact.length, tolerance, worst, exact[worst], actual[worst]));
        }
    }
}
