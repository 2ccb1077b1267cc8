package dev.retrograd.trainer.image;

import java.util.Arrays;

/// The five row filters of PNG, and the choice between them.
///
/// A filter replaces each byte by its difference from a prediction made of the same channel of the pixels to its left (a), above (b) and above left (c), outside
/// the image 0; deflate then finds more repetitions. Source: PNG specification (W3C, third edition), 9.2 filter types and 12.7 filter selection.
enum PngFilter {
    NONE, SUB, UP, AVERAGE, PAETH;

    /// Bytes from one pixel to the next.
    private static final int PIXEL = 3;

    /// Every row as a file holds it: the number of its filter, then the filtered bytes. Each row takes the filter whose bytes, read as signed numbers, have the
    /// least sum of absolute values, the first of equals.
    ///
    /// @return [height, 1 + 3·width] bytes
    static byte[] rows(RgbImage image) {
        int length = PIXEL * image.width();
        byte[] out = new byte[Math.multiplyExact(image.height(), 1 + length)];
        byte[] above = new byte[length];
        byte[] row = new byte[length];
        byte[] filtered = new byte[length];
        for (int y = 0, at = 0; y < image.height(); y++, at += 1 + length) {
            System.arraycopy(image.rgb(), y * length, row, 0, length);
            long least = Long.MAX_VALUE;
            for (PngFilter filter : values()) {
                long sum = filter.apply(row, above, filtered);
                if (sum < least) {
                    least = sum;
                    out[at] = (byte) filter.ordinal();
                    System.arraycopy(filtered, 0, out, at + 1, length);
                }
            }
            byte[] spare = above;
            above = row;
            row = spare;
        }
        return out;
    }

    /// Filters a row, and returns the sum of the absolute values.
    private long apply(byte[] row, byte[] above, byte[] filtered) {
        long sum = 0;
        for (int i = 0; i < row.length; i++) {
            int a = i < PIXEL ? 0 : row[i - PIXEL] & 0xFF;
            int b = above[i] & 0xFF;
            int c = i < PIXEL ? 0 : above[i - PIXEL] & 0xFF;
            filtered[i] = (byte) (row[i] - prediction(a, b, c));
            sum += Math.abs(filtered[i]);
        }
        return sum;
    }

    private int prediction(int a, int b, int c) {
        return switch (this) {
            case NONE -> 0;
            case SUB -> a;
            case UP -> b;
            case AVERAGE -> (a + b) / 2;
            case PAETH -> nearest(a + b - c, a, b, c);
        };
    }

    /// Which of a, b and c is nearest to `p`, in this order where two are.
    private static int nearest(int p, int a, int b, int c) {
        int toA = Math.abs(p - a);
        int toB = Math.abs(p - b);
        int toC = Math.abs(p - c);
        return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }
}
