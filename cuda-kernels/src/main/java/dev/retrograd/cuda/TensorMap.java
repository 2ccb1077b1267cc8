package dev.retrograd.cuda;

import dev.retrograd.core.DType;
import java.util.Arrays;
import java.util.stream.IntStream;

/// A tensor in device memory as the hardware of compute capability 9.0 copies boxes of it to shared memory; elements of a box outside of the tensor
/// become zeros. Axes come innermost first. Source of what is required: NVIDIA's CUDA driver API, `cuTensorMapEncodeTiled`.
///
/// @param type of 16 or 32 bits
/// @param address of the first element, a multiple of 16
/// @param sizes elements along each of 1 to 5 axes
/// @param strides bytes from one element to the next along every axis but the innermost, multiples of 16
/// @param box elements that a copy brings along each axis; a row of them is a multiple of 16 bytes
/// @param steps of which so many elements of the tensor each is the first, 1 to 8 along each axis, 1 along the innermost; times the box at most 256
/// @param swizzle how 16-byte pieces of a box are permuted
public record TensorMap(DType type, long address, long[] sizes, long[] strides, int[] box, int[] steps, Swizzle swizzle) {
    /// What `cuTensorMapEncodeTiled` writes.
    static final int BYTES = 128;
    /// What kernels' parameters must be aligned to.
    public static final int ALIGNMENT = 64;
    private static final int MOST_AXES = 5;
    private static final int PIECE = 16;
    private static final int MOST_BOX = 256;
    private static final int MOST_STEP = 8;
    private static final long MOST_ELEMENTS = 1L << 32;
    private static final long STRIDE_END = 1L << 40;

    /// Piece p of a row of this many bytes goes to p xor the row's number, within groups of eight rows.
    public enum Swizzle {
        NONE(Integer.MAX_VALUE), BYTES_32(32), BYTES_64(64), BYTES_128(128);

        private final int bytes;

        Swizzle(int bytes) {
            this.bytes = bytes;
        }

        /// Where in shared memory the byte goes that would lie at an address without swizzling: some of bits 4 to 6 change with those of bits 7 to 9.
        public long place(long address) {
            return this == NONE ? address : address ^ (address >>> 3 & bytes - PIECE);
        }
    }

    public TensorMap {
        require(type == DType.F32 || type == DType.F16 || type == DType.BF16, "elements of type F32, F16 or BF16", type);
        require(address > 0 && address % PIECE == 0, "an address that is a multiple of 16", address);
        require(sizes.length >= 1 && sizes.length <= MOST_AXES, "1 to 5 axes", sizes.length);
        require(Arrays.stream(sizes).allMatch(n -> n >= 1 && n <= MOST_ELEMENTS), "1 to 4294967296 elements along each axis", Arrays.toString(sizes));
        require(strides.length == sizes.length - 1, "a stride for every axis but the innermost", strides.length + " for " + sizes.length + " axes");
        require(Arrays.stream(strides).allMatch(s -> s >= 0 && s % PIECE == 0 && s < STRIDE_END), "strides that are multiples of 16 bytes below 2^40", Arrays.toString(strides));
        require(box.length == sizes.length, "a box along every axis", box.length + " for " + sizes.length + " axes");
        require(steps.length == sizes.length && steps[0] == 1 && Arrays.stream(steps).allMatch(n -> n >= 1 && n <= MOST_STEP), "steps of 1 to 8 elements, along the innermost axis 1",
                Arrays.toString(steps));
        require(Arrays.stream(spans(box, steps)).allMatch(n -> n >= 1 && n <= MOST_BOX), "a box of 1 to 256 elements along each axis",
                Arrays.toString(spans(box, steps)));
        int row = box[0] * type.bytes();
        require(row % PIECE == 0 && row <= swizzle.bytes, "rows of a box of a multiple of 16 bytes, and no longer than what is swizzled (" + swizzle + ")", row + " bytes");
        sizes = sizes.clone();
        strides = strides.clone();
        box = box.clone();
        steps = steps.clone();
    }

    /// Boxes of elements that follow one another.
    public TensorMap(DType type, long address, long[] sizes, long[] strides, int[] box, Swizzle swizzle) {
        this(type, address, sizes, strides, box, Arrays.stream(box).map(_ -> 1).toArray(), swizzle);
    }

    private static int[] spans(int[] box, int[] steps) {
        return IntStream.range(0, box.length).map(i -> box[i] * steps[i]).toArray();
    }

    /// Elements of the tensor that a box spans along each axis.
    int[] spans() {
        return spans(box, steps);
    }

    private static void require(boolean fits, String what, Object got) {
        if (!fits) {
            throw new IllegalArgumentException("tensor map: required is " + what + ", got " + got);
        }
    }

    /// Bytes that a copy of a box writes, those outside of the tensor included.
    public int boxBytes() {
        return Arrays.stream(box).reduce(type.bytes(), Math::multiplyExact);
    }
}
