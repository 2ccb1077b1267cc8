package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.TensorMap.Swizzle;

/// Where wgmma finds a matrix of 16-bit elements in shared memory, 16 of k in one instruction. Source: NVIDIA's PTX ISA, 9.7.15.5.1, shared-memory layout
/// and matrix descriptor.
///
/// @param start byte at which it begins
/// @param leading bytes: of rows that lie k first and are not swizzled, from the first 8 of k to the next 8; of matrices that lie row first, from a
///         swizzled stretch of rows to the next, or, not swizzled, from 8 of k to the next 8
/// @param stride bytes from 8 rows to the next 8, or, where they lie row first and swizzled, from 8 of k to the next 8
record MatrixDescriptor(int start, int leading, int stride, Swizzle swizzle) {
    /// Bytes, and rows or elements of k, that always lie together.
    static final int PIECE = 16;
    static final int ELEMENTS = 8;
    private static final int FIELD = 0x3FFF;
    private static final int UNIT_SHIFT = 4;
    private static final int LEADING_AT = 16;
    private static final int STRIDE_AT = 32;
    private static final int BASE_OFFSET_AT = 49;
    private static final int SWIZZLE_AT = 62;
    /// By the code in the descriptor.
    private static final Swizzle[] SWIZZLES = {Swizzle.NONE, Swizzle.BYTES_128, Swizzle.BYTES_64, Swizzle.BYTES_32};

    static MatrixDescriptor of(Warp w, Op op, long bits) {
        if ((bits >>> BASE_OFFSET_AT & 7) != 0) {
            throw w.fault(op, 0, "a matrix descriptor whose swizzling begins at a multiple of 1024 bytes is required, got 0x" + Long.toHexString(bits));
        }
        return new MatrixDescriptor((int) (bits & FIELD) << UNIT_SHIFT, (int) (bits >>> LEADING_AT & FIELD) << UNIT_SHIFT, (int) (bits >>> STRIDE_AT & FIELD) << UNIT_SHIFT,
                SWIZZLES[(int) (bits >>> SWIZZLE_AT)]);
    }

    private int width() {
        return switch (swizzle) {
            case NONE -> PIECE;
            case BYTES_32 -> 32;
            case BYTES_64 -> 64;
            case BYTES_128 -> 128;
        };
    }

    /// Byte of 8 elements: of one row and 8 of k, or, `rowFirst`, of 8 rows and one k.
    ///
    /// @param row a multiple of 8 if `rowFirst`
    /// @param k below 16, a multiple of 8 unless `rowFirst`
    int piece(boolean rowFirst, int row, int k) {
        int width = width();
        int at;
        if (rowFirst) {
            int rows = width / 2;
            boolean swizzled = swizzle != Swizzle.NONE;
            at = start + row / rows * (swizzled ? leading : stride) + k / 8 * (swizzled ? stride : leading) + k % 8 * width + row % rows * 2;
        } else {
            at = start + row / 8 * stride + row % 8 * width + k / 8 * (swizzle == Swizzle.NONE ? leading : PIECE);
        }
        return (int) swizzle.place(at);
    }
}
