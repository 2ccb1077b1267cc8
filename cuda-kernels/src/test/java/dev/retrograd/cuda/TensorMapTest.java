package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.TensorMap.Swizzle;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import org.junit.jupiter.api.Test;

class TensorMapTest {
    private static final long ADDRESS = 0x7000;

    private static TensorMap map(long address, long columns, long stride, int boxColumns, int boxRows, Swizzle swizzle) {
        return new TensorMap(DType.BF16, address, new long[] {columns, 100}, new long[] {stride}, new int[] {boxColumns, boxRows}, swizzle);
    }

    private static String refusal(long address, long columns, long stride, int boxColumns, int boxRows, Swizzle swizzle) {
        return assertThrows(IllegalArgumentException.class, () -> map(address, columns, stride, boxColumns, boxRows, swizzle)).getMessage();
    }

    @Test void whatTheDriverRefusesIsRefusedByName() {
        assertEquals("tensor map: required is an address that is a multiple of 16, got 28680", refusal(ADDRESS + 8, 64, 128, 64, 64, Swizzle.BYTES_128));
        assertEquals("tensor map: required is strides that are multiples of 16 bytes below 2^40, got [136]", refusal(ADDRESS, 68, 136, 64, 64, Swizzle.BYTES_128));
        assertEquals("tensor map: required is a box of 1 to 256 elements along each axis, got [64, 257]", refusal(ADDRESS, 64, 128, 64, 257, Swizzle.BYTES_128));
        assertEquals("tensor map: required is rows of a box of a multiple of 16 bytes, and no longer than what is swizzled (BYTES_128), got 256 bytes",
                refusal(ADDRESS, 256, 512, 128, 64, Swizzle.BYTES_128));
        assertEquals("tensor map: required is rows of a box of a multiple of 16 bytes, and no longer than what is swizzled (NONE), got 8 bytes",
                refusal(ADDRESS, 64, 128, 4, 64, Swizzle.NONE));
        assertEquals("tensor map: required is 1 to 4294967296 elements along each axis, got [0, 100]", refusal(ADDRESS, 0, 128, 64, 64, Swizzle.BYTES_128));
        assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.I64, ADDRESS, new long[] {64}, new long[0], new int[] {64}, Swizzle.NONE));
        assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.F16, ADDRESS, new long[6], new long[5], new int[6], Swizzle.NONE));
        assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.F16, ADDRESS, new long[] {64, 2}, new long[0], new int[] {64, 2}, Swizzle.NONE));
    }

    @Test void boxesOfEverySecondElementSpanTwiceAsMany() {
        long[] sizes = {64, 50, 50};
        long[] strides = {128, 6400};
        assertEquals(64 * 16 * 8 * 2, new TensorMap(DType.BF16, ADDRESS, sizes, strides, new int[] {64, 16, 8}, new int[] {1, 2, 2}, Swizzle.BYTES_128).boxBytes());
        assertEquals("tensor map: required is steps of 1 to 8 elements, along the innermost axis 1, got [2, 2, 2]",
                assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.BF16, ADDRESS, sizes, strides, new int[] {32, 16, 8}, new int[] {2, 2, 2}, Swizzle.BYTES_128)).getMessage());
        assertEquals("tensor map: required is steps of 1 to 8 elements, along the innermost axis 1, got [1, 9, 1]",
                assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.BF16, ADDRESS, sizes, strides, new int[] {64, 16, 8}, new int[] {1, 9, 1}, Swizzle.BYTES_128)).getMessage());
        assertEquals("tensor map: required is a box of 1 to 256 elements along each axis, got [64, 258, 8]",
                assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.BF16, ADDRESS, sizes, strides, new int[] {64, 129, 4}, new int[] {1, 2, 2}, Swizzle.BYTES_128)).getMessage());
        assertEquals("tensor map: required is a box along every axis, got 2 for 3 axes",
                assertThrows(IllegalArgumentException.class, () -> new TensorMap(DType.BF16, ADDRESS, sizes, strides, new int[] {64, 16}, Swizzle.BYTES_128)).getMessage());
    }

    @Test void aBoxOfWholeRowsIsTaken() {
        assertEquals(256 * 128, map(ADDRESS, 72, 144, 64, 256, Swizzle.BYTES_128).boxBytes());
    }

    @Test void swizzlingPermutesPiecesWithinRowsByTheRowsNumber() {
        assertEquals(3 * 128 + (5 ^ 3) * 16 + 7, Swizzle.BYTES_128.place(3 * 128 + 5 * 16 + 7));
        assertEquals(1024 + 5 * 16, Swizzle.BYTES_128.place(1024 + 5 * 16));
        assertEquals(2 * 64 + (3 ^ 1) * 16, Swizzle.BYTES_64.place(2 * 64 + 3 * 16));
        assertEquals(4 * 32 + (1 ^ 1) * 16, Swizzle.BYTES_32.place(4 * 32 + 16));
        assertEquals(12345, Swizzle.NONE.place(12345));
    }

    @Test void onlyHopperHasTensorMapsAndClusters() {
        TensorMap map = map(ADDRESS, 64, 128, 64, 64, Swizzle.BYTES_128);
        try (EmulatedDriver ampere = new EmulatedDriver(1 << 20); EmulatedDriver hopper = EmulatedDriver.hopper(1 << 20)) {
            assertEquals("cuda: tensor maps: compute capability must be 9.0 or more (Hopper), got 8.0 of PTX emulator", assertThrows(CudaException.class, () -> ampere.encode(map)).getMessage());
            assertEquals(TensorMap.BYTES, hopper.encode(map).length * Long.BYTES);
        }
        assertEquals("launch: a cluster must be 1..8 blocks and divide the 6 blocks of x, got 4",
                assertThrows(IllegalArgumentException.class, () -> new LaunchGrid(6, 1, 1, 32, 1, 1, 4)).getMessage());
    }
}
