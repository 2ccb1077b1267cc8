package dev.retrograd.core.cpu;

import java.lang.foreign.MemorySegment;

/// What a matrix product does with its sums: `C = alpha·AB + bias`, or `C += alpha·AB + bias`.
///
/// @param accumulate adds to C instead of overwriting it; overwriting never reads C
/// @param bias float32 per column of C; [MemorySegment#NULL] for none
/// @param biasOffset bytes from the start of `bias` to column 0's value
record Epilogue(float alpha, boolean accumulate, MemorySegment bias, long biasOffset) {

    /// `C = AB`.
    static final Epilogue OVERWRITE = new Epilogue(1, false, MemorySegment.NULL, 0);
    /// `C += AB`.
    static final Epilogue ACCUMULATE = new Epilogue(1, true, MemorySegment.NULL, 0);

    /// @throws IllegalArgumentException if the bias is not native or its offset is negative
    Epilogue {
        if (!bias.isNative() || biasOffset < 0) {
            throw new IllegalArgumentException(
                    "epilogue: bias must be native memory from byte 0 or later, got offset %d in %s".formatted(biasOffset, bias));
        }
    }

    /// @return the same with sums multiplied by `factor`; the bias is not
    Epilogue scaled(float factor) {
        return new Epilogue(factor, accumulate, bias, biasOffset);
    }

    /// @return the same with a bias
    Epilogue withBias(MemorySegment segment, long offset) {
        return new Epilogue(alpha, accumulate, segment, offset);
    }

    /// The kernel's form, once the bias is known to be alive and long enough.
    MicroKernel.Update checked(String where, int columns) {
        if (bias.equals(MemorySegment.NULL)) {
            return new MicroKernel.Update(alpha, 0, accumulate);
        }
        if (!bias.scope().isAlive()) {
            throw new IllegalStateException(where + ": bias must be alive, got a closed segment");
        }
        if (biasOffset + 4L * columns > bias.byteSize()) {
            throw new IllegalArgumentException("%s: bias must hold %d floats from byte %d, got a segment of %d bytes"
                    .formatted(where, columns, biasOffset, bias.byteSize()));
        }
        return new MicroKernel.Update(alpha, bias.address() + biasOffset, accumulate);
    }
}
