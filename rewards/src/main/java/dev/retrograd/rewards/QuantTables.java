package dev.retrograd.rewards;

import java.util.Arrays;

/// Quantisation step of each DCT coefficient, row by row (vertical frequency first), for luma and for both chroma planes.
///
/// Source: ITU-T T.81, Annex K, tables K.1 and K.2; scaling by quality as in libjpeg's `jpeg_set_quality`.
record QuantTables(int[] luma, int[] chroma) {

    /// Position in a row-by-row block of the i-th coefficient of the zig-zag scan (ITU-T T.81, figure A.6).
    static final int[] ZIGZAG = zigzag();

    private static final int[] K1 = {
        16, 11, 10, 16, 24, 40, 51, 61,
        12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77,
        24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103, 99};

    private static final int[] K2 = {
        17, 18, 24, 47, 99, 99, 99, 99,
        18, 21, 26, 66, 99, 99, 99, 99,
        24, 26, 56, 99, 99, 99, 99, 99,
        47, 66, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99};

    /// @param quality 1..100: 50 gives the tables themselves, 100 steps of 1
    static QuantTables of(int quality) {
        int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
        return new QuantTables(scaled(K1, percent), scaled(K2, percent));
    }

    private static int[] scaled(int[] table, int percent) {
        return Arrays.stream(table).map(q -> Math.clamp((q * percent + 50) / 100, 1, 255)).toArray();
    }

    /// Diagonals from the top left, every other one walked upwards.
    private static int[] zigzag() {
        int[] order = new int[64];
        int at = 0;
        for (int diagonal = 0; diagonal < 15; diagonal++) {
            int first = Math.max(0, diagonal - 7);
            int last = Math.min(7, diagonal);
            for (int i = first; i <= last; i++) {
                int row = diagonal % 2 == 0 ? first + last - i : i;
                order[at++] = row * 8 + diagonal - row;
            }
        }
        return order;
    }
}
