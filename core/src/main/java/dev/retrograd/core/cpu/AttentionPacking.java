package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.AttentionTile.ROWS;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// How the operands of {@link AttentionTile} are laid out, and its results brought back to rows. What has to be transposed is, in blocks of
/// 8 by 8 in registers; on machines without vectors of 8 floats, one by one.
final class AttentionPacking {
    /// Floats of scratch that packing takes: a block and its transpose.
    static final int SCRATCH = 2 * ROWS * ROWS;

    private static final boolean EIGHT = LANES >= ROWS;
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    /// The widest vector of at most {@link AttentionTile#ROWS} floats.
    private static final VectorSpecies<Float> STRIP = EIGHT ? F : FLOATS;
    private static final IntVector LOW = Vectors.zip(IntVector.SPECIES_256, 0);
    private static final IntVector HIGH = Vectors.zip(IntVector.SPECIES_256, ROWS / 2);

    private AttentionPacking() {
    }

    /// Panels whose rows are rows of a matrix and whose depth is its width: `panels[j / 8][d][j % 8] = matrix[j][d]`, zero beyond `count`.
    ///
    /// @param matrix address of its first element
    /// @param rowBytes distance of its rows
    static void packRows(long matrix, long rowBytes, int count, int width, float[] scratch, float[] panels) {
        for (int j = 0; j < count; j += ROWS) {
            packRows(matrix + j * rowBytes, rowBytes, Math.min(ROWS, count - j), width, scratch, panels, j * width);
        }
    }

    private static void packRows(long matrix, long rowBytes, int count, int width, float[] scratch, float[] panels, int at) {
        int d = 0;
        if (EIGHT) {
            for (; d <= width - ROWS; d += ROWS) {
                for (int r = 0; r < ROWS; r++) {
                    FloatVector row = r < count ? FloatVector.fromMemorySegment(F, ALL, matrix + r * rowBytes + d * 4L, LE) : FloatVector.zero(F);
                    row.intoArray(scratch, r * ROWS);
                }
                transpose(scratch, 0, panels, at + d * ROWS);
            }
        }
        for (; d < width; d++) {
            for (int r = 0; r < ROWS; r++) {
                panels[at + d * ROWS + r] = r < count ? ALL.get(JAVA_FLOAT_UNALIGNED, matrix + r * rowBytes + d * 4L) : 0;
            }
        }
    }

    /// Panels whose rows are columns of a matrix and whose depth is its height: `panels[d / 8][j][d % 8] = matrix[j][d]`, zero beyond `width`.
    static void packColumns(long matrix, long rowBytes, int count, int width, float[] panels) {
        for (int d = 0; d < width; d += ROWS) {
            int present = Math.min(ROWS, width - d);
            long column = matrix + d * 4L;
            int at = d * count;
            if (present == ROWS) {
                packStrip(column, rowBytes, count, panels, at);
            } else {
                for (int j = 0; j < count; j++) {
                    for (int r = 0; r < ROWS; r++) {
                        panels[at + j * ROWS + r] = r < present ? ALL.get(JAVA_FLOAT_UNALIGNED, column + j * rowBytes + r * 4L) : 0;
                    }
                }
            }
        }
    }

    private static void packStrip(long column, long rowBytes, int count, float[] panels, int at) {
        for (int j = 0; j < count; j++) {
            for (int r = 0; r < ROWS; r += STRIP.length()) {
                FloatVector.fromMemorySegment(STRIP, ALL, column + j * rowBytes + r * 4L, LE).intoArray(panels, at + j * ROWS + r);
            }
        }
    }

    /// Right operands whose columns are rows of a matrix, times `scale`: tile t is `[width][COLUMNS]` at `to + t·width·COLUMN_BYTES`;
    /// columns beyond `count` are zero.
    ///
    /// @param panel scratch of `8·width` floats
    static void packRight(long matrix, long rowBytes, int count, int width, float scale, float[] scratch, float[] panel, long to) {
        int paddedCount = (count + COLUMNS - 1) / COLUMNS * COLUMNS;
        for (int j = 0; j < paddedCount; j += ROWS) {
            packRows(matrix + j * rowBytes, rowBytes, Math.clamp(count - j, 0, ROWS), width, scratch, panel, 0);
            long column = to + (j / COLUMNS * (long) width * COLUMNS + j % COLUMNS) * 4;
            for (int d = 0; d < width; d++) {
                for (int r = 0; r < ROWS; r += STRIP.length()) {
                    FloatVector.fromArray(STRIP, panel, d * ROWS + r).mul(scale).intoMemorySegment(ALL, column + d * COLUMN_BYTES + r * 4L, LE);
                }
            }
        }
    }

    /// The reverse: one tile's columns, times a factor each, to rows of a matrix, or added to them.
    ///
    /// @param tile `[width][COLUMNS]` from `at` on
    /// @param factors `COLUMNS` of them
    static void unpack(float[] tile, int at, float[] factors, int count, int width, float[] scratch, boolean add, long matrix, long rowBytes) {
        for (int j = 0; j < count; j += ROWS) {
            int rows = Math.min(ROWS, count - j);
            long row = matrix + j * rowBytes;
            int d = 0;
            if (EIGHT) {
                FloatVector factor = FloatVector.fromArray(F, factors, j);
                for (; d <= width - ROWS; d += ROWS) {
                    for (int r = 0; r < ROWS; r++) {
                        FloatVector.fromArray(F, tile, at + (d + r) * COLUMNS + j).mul(factor).intoArray(scratch, r * ROWS);
                    }
                    transpose(scratch, 0, scratch, ROWS * ROWS);
                    store(scratch, rows, add, row + d * 4L, rowBytes);
                }
            }
            for (; d < width; d++) {
                for (int r = 0; r < rows; r++) {
                    long to = row + r * rowBytes + d * 4L;
                    float value = tile[at + d * COLUMNS + j + r] * factors[j + r];
                    ALL.set(JAVA_FLOAT_UNALIGNED, to, add ? ALL.get(JAVA_FLOAT_UNALIGNED, to) + value : value);
                }
            }
        }
    }

    private static void store(float[] scratch, int rows, boolean add, long to, long rowBytes) {
        for (int r = 0; r < rows; r++) {
            FloatVector v = FloatVector.fromArray(F, scratch, ROWS * ROWS + r * ROWS);
            if (add) {
                v = FloatVector.fromMemorySegment(F, ALL, to + r * rowBytes, LE).add(v);
            }
            v.intoMemorySegment(ALL, to + r * rowBytes, LE);
        }
    }

    /// Transposes 8 × 8 floats that lie together. Interleaving the rows i and i + 4 rotates the bits of (row, column) by one, so three rounds
    /// exchange row and column.
    private static void transpose(float[] from, int at, float[] to, int toAt) {
        IntVector a0 = FloatVector.fromArray(F, from, at).reinterpretAsInts(), a1 = FloatVector.fromArray(F, from, at + 8).reinterpretAsInts();
        IntVector a2 = FloatVector.fromArray(F, from, at + 16).reinterpretAsInts(), a3 = FloatVector.fromArray(F, from, at + 24).reinterpretAsInts();
        IntVector a4 = FloatVector.fromArray(F, from, at + 32).reinterpretAsInts(), a5 = FloatVector.fromArray(F, from, at + 40).reinterpretAsInts();
        IntVector a6 = FloatVector.fromArray(F, from, at + 48).reinterpretAsInts(), a7 = FloatVector.fromArray(F, from, at + 56).reinterpretAsInts();
        IntVector b0 = LOW.selectFrom(a0, a4), b1 = HIGH.selectFrom(a0, a4), b2 = LOW.selectFrom(a1, a5), b3 = HIGH.selectFrom(a1, a5);
        IntVector b4 = LOW.selectFrom(a2, a6), b5 = HIGH.selectFrom(a2, a6), b6 = LOW.selectFrom(a3, a7), b7 = HIGH.selectFrom(a3, a7);
        IntVector c0 = LOW.selectFrom(b0, b4), c1 = HIGH.selectFrom(b0, b4), c2 = LOW.selectFrom(b1, b5), c3 = HIGH.selectFrom(b1, b5);
        IntVector c4 = LOW.selectFrom(b2, b6), c5 = HIGH.selectFrom(b2, b6), c6 = LOW.selectFrom(b3, b7), c7 = HIGH.selectFrom(b3, b7);
        LOW.selectFrom(c0, c4).reinterpretAsFloats().intoArray(to, toAt);
        HIGH.selectFrom(c0, c4).reinterpretAsFloats().intoArray(to, toAt + 8);
        LOW.selectFrom(c1, c5).reinterpretAsFloats().intoArray(to, toAt + 16);
        HIGH.selectFrom(c1, c5).reinterpretAsFloats().intoArray(to, toAt + 24);
        LOW.selectFrom(c2, c6).reinterpretAsFloats().intoArray(to, toAt + 32);
        HIGH.selectFrom(c2, c6).reinterpretAsFloats().intoArray(to, toAt + 40);
        LOW.selectFrom(c3, c7).reinterpretAsFloats().intoArray(to, toAt + 48);
        HIGH.selectFrom(c3, c7).reinterpretAsFloats().intoArray(to, toAt + 56);
    }
}
