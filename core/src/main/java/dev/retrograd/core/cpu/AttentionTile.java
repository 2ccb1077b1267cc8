package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The small matrix product under attention, and the packing of its operands.
///
/// Both products of attention, and all of its backward's, are `out = Σₚ left[p][·] ⊗ right[p][·]`: 8 rows by {@link #COLUMNS} columns in
/// registers. The columns are queries (or keys), so softmax works on whole vectors and never sums across lanes. The left operand lies in
/// panels, 8 floats per depth step; the right one in native memory, `COLUMNS` floats per depth step.
///
/// The layout obeys the compiler: accumulators are locals, distances in the loop constant, one kernel per number of registers, and results
/// go to an array, since every access to native memory takes a share of the nodes that a method may be compiled to.
final class AttentionTile {
    /// Rows of a tile, and floats per depth step of a panel.
    static final int ROWS = 8;
    /// Columns of a tile.
    static final int COLUMNS = 2 * LANES;
    static final long COLUMN_BYTES = COLUMNS * 4L;
    private static final long VECTOR_BYTES = LANES * 4L;

    /// Whether 16 accumulators fit into the registers beside the operands.
    private static final boolean WIDE = LANES == 16;
    /// The widest vector of at most {@link #ROWS} floats.
    private static final VectorSpecies<Float> STRIP = LANES < ROWS ? FLOATS : FloatVector.SPECIES_256;

    private AttentionTile() {
    }

    /// `out = left·right`, {@link #ROWS} rows, {@link #COLUMNS} floats apart.
    ///
    /// @param at where the panel begins in `left`
    /// @param right address of the right operand
    /// @param to where the rows begin in `out`
    static void multiply(int depth, float[] left, int at, long right, float[] out, int to) {
        if (WIDE) {
            eightRows(depth, left, at, right, out, to);
        } else {
            fourRows(depth, left, at, right, out, to);
            fourRows(depth, left, at + 4, right, out, to + 4 * COLUMNS);
        }
    }

    private static void eightRows(int depth, float[] left, int at, long right, float[] out, int to) {
        FloatVector c0l = FloatVector.zero(FLOATS), c0r = c0l;
        FloatVector c1l = FloatVector.zero(FLOATS), c1r = c1l;
        FloatVector c2l = FloatVector.zero(FLOATS), c2r = c2l;
        FloatVector c3l = FloatVector.zero(FLOATS), c3r = c3l;
        FloatVector c4l = FloatVector.zero(FLOATS), c4r = c4l;
        FloatVector c5l = FloatVector.zero(FLOATS), c5r = c5l;
        FloatVector c6l = FloatVector.zero(FLOATS), c6r = c6l;
        FloatVector c7l = FloatVector.zero(FLOATS), c7r = c7l;
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(FLOATS, ALL, right + p * COLUMN_BYTES, LE);
            FloatVector br = FloatVector.fromMemorySegment(FLOATS, ALL, right + p * COLUMN_BYTES + VECTOR_BYTES, LE);
            int i = at + p * ROWS;
            FloatVector a0 = FloatVector.broadcast(FLOATS, left[i]);
            c0l = a0.fma(bl, c0l);
            c0r = a0.fma(br, c0r);
            FloatVector a1 = FloatVector.broadcast(FLOATS, left[i + 1]);
            c1l = a1.fma(bl, c1l);
            c1r = a1.fma(br, c1r);
            FloatVector a2 = FloatVector.broadcast(FLOATS, left[i + 2]);
            c2l = a2.fma(bl, c2l);
            c2r = a2.fma(br, c2r);
            FloatVector a3 = FloatVector.broadcast(FLOATS, left[i + 3]);
            c3l = a3.fma(bl, c3l);
            c3r = a3.fma(br, c3r);
            FloatVector a4 = FloatVector.broadcast(FLOATS, left[i + 4]);
            c4l = a4.fma(bl, c4l);
            c4r = a4.fma(br, c4r);
            FloatVector a5 = FloatVector.broadcast(FLOATS, left[i + 5]);
            c5l = a5.fma(bl, c5l);
            c5r = a5.fma(br, c5r);
            FloatVector a6 = FloatVector.broadcast(FLOATS, left[i + 6]);
            c6l = a6.fma(bl, c6l);
            c6r = a6.fma(br, c6r);
            FloatVector a7 = FloatVector.broadcast(FLOATS, left[i + 7]);
            c7l = a7.fma(bl, c7l);
            c7r = a7.fma(br, c7r);
        }
        c0l.intoArray(out, to);
        c0r.intoArray(out, to + LANES);
        c1l.intoArray(out, to + COLUMNS);
        c1r.intoArray(out, to + COLUMNS + LANES);
        c2l.intoArray(out, to + 2 * COLUMNS);
        c2r.intoArray(out, to + 2 * COLUMNS + LANES);
        c3l.intoArray(out, to + 3 * COLUMNS);
        c3r.intoArray(out, to + 3 * COLUMNS + LANES);
        c4l.intoArray(out, to + 4 * COLUMNS);
        c4r.intoArray(out, to + 4 * COLUMNS + LANES);
        c5l.intoArray(out, to + 5 * COLUMNS);
        c5r.intoArray(out, to + 5 * COLUMNS + LANES);
        c6l.intoArray(out, to + 6 * COLUMNS);
        c6r.intoArray(out, to + 6 * COLUMNS + LANES);
        c7l.intoArray(out, to + 7 * COLUMNS);
        c7r.intoArray(out, to + 7 * COLUMNS + LANES);
    }

    private static void fourRows(int depth, float[] left, int at, long right, float[] out, int to) {
        FloatVector c0l = FloatVector.zero(FLOATS), c0r = c0l;
        FloatVector c1l = FloatVector.zero(FLOATS), c1r = c1l;
        FloatVector c2l = FloatVector.zero(FLOATS), c2r = c2l;
        FloatVector c3l = FloatVector.zero(FLOATS), c3r = c3l;
        for (int p = 0; p < depth; p++) {
            FloatVector bl = FloatVector.fromMemorySegment(FLOATS, ALL, right + p * COLUMN_BYTES, LE);
            FloatVector br = FloatVector.fromMemorySegment(FLOATS, ALL, right + p * COLUMN_BYTES + VECTOR_BYTES, LE);
            int i = at + p * ROWS;
            FloatVector a0 = FloatVector.broadcast(FLOATS, left[i]);
            c0l = a0.fma(bl, c0l);
            c0r = a0.fma(br, c0r);
            FloatVector a1 = FloatVector.broadcast(FLOATS, left[i + 1]);
            c1l = a1.fma(bl, c1l);
            c1r = a1.fma(br, c1r);
            FloatVector a2 = FloatVector.broadcast(FLOATS, left[i + 2]);
            c2l = a2.fma(bl, c2l);
            c2r = a2.fma(br, c2r);
            FloatVector a3 = FloatVector.broadcast(FLOATS, left[i + 3]);
            c3l = a3.fma(bl, c3l);
            c3r = a3.fma(br, c3r);
        }
        c0l.intoArray(out, to);
        c0r.intoArray(out, to + LANES);
        c1l.intoArray(out, to + COLUMNS);
        c1r.intoArray(out, to + COLUMNS + LANES);
        c2l.intoArray(out, to + 2 * COLUMNS);
        c2r.intoArray(out, to + 2 * COLUMNS + LANES);
        c3l.intoArray(out, to + 3 * COLUMNS);
        c3r.intoArray(out, to + 3 * COLUMNS + LANES);
    }

    /// `result = result·factor + tile` with a factor per column, {@link #ROWS} rows.
    static void fold(float[] tile, float[] factors, float[] result, int at) {
        FloatVector left = FloatVector.fromArray(FLOATS, factors, 0);
        FloatVector right = FloatVector.fromArray(FLOATS, factors, LANES);
        for (int i = 0; i < ROWS * COLUMNS; i += COLUMNS) {
            FloatVector.fromArray(FLOATS, result, at + i).fma(left, FloatVector.fromArray(FLOATS, tile, i)).intoArray(result, at + i);
            FloatVector.fromArray(FLOATS, result, at + i + LANES).fma(right, FloatVector.fromArray(FLOATS, tile, i + LANES))
                    .intoArray(result, at + i + LANES);
        }
    }

    /// `result += tile`, {@link #ROWS} rows.
    static void fold(float[] tile, float[] result, int at) {
        for (int i = 0; i < ROWS * COLUMNS; i += LANES) {
            FloatVector.fromArray(FLOATS, result, at + i).add(FloatVector.fromArray(FLOATS, tile, i)).intoArray(result, at + i);
        }
    }

    /// Rounds up to whole tile rows.
    static int padded(int count) {
        return (count + ROWS - 1) / ROWS * ROWS;
    }

    /// Panels whose rows are rows of a matrix and whose depth is its width: `panels[j / 8][d][j % 8] = matrix[j][d]`, zero beyond `count`.
    ///
    /// @param matrix address of its first element
    /// @param rowBytes distance of its rows
    static void packRows(long matrix, long rowBytes, int count, int width, float[] panels) {
        for (int j = 0; j < count; j += ROWS) {
            packRows(matrix + j * rowBytes, rowBytes, Math.min(ROWS, count - j), width, panels, j * width);
        }
    }

    private static void packRows(long matrix, long rowBytes, int count, int width, float[] panels, int at) {
        if (count < ROWS) {
            for (int d = 0; d < width; d++) {
                for (int r = 0; r < ROWS; r++) {
                    panels[at + d * ROWS + r] = r < count ? ALL.get(JAVA_FLOAT_UNALIGNED, matrix + r * rowBytes + d * 4L) : 0;
                }
            }
            return;
        }
        long row1 = matrix + rowBytes;
        long row2 = row1 + rowBytes;
        long row3 = row2 + rowBytes;
        long row4 = row3 + rowBytes;
        long row5 = row4 + rowBytes;
        long row6 = row5 + rowBytes;
        long row7 = row6 + rowBytes;
        for (int d = 0; d < width; d++) {
            int i = at + d * ROWS;
            long o = d * 4L;
            panels[i] = ALL.get(JAVA_FLOAT_UNALIGNED, matrix + o);
            panels[i + 1] = ALL.get(JAVA_FLOAT_UNALIGNED, row1 + o);
            panels[i + 2] = ALL.get(JAVA_FLOAT_UNALIGNED, row2 + o);
            panels[i + 3] = ALL.get(JAVA_FLOAT_UNALIGNED, row3 + o);
            panels[i + 4] = ALL.get(JAVA_FLOAT_UNALIGNED, row4 + o);
            panels[i + 5] = ALL.get(JAVA_FLOAT_UNALIGNED, row5 + o);
            panels[i + 6] = ALL.get(JAVA_FLOAT_UNALIGNED, row6 + o);
            panels[i + 7] = ALL.get(JAVA_FLOAT_UNALIGNED, row7 + o);
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
    static void packRight(long matrix, long rowBytes, int count, int width, float scale, float[] panel, long to) {
        int paddedCount = (count + COLUMNS - 1) / COLUMNS * COLUMNS;
        for (int j = 0; j < paddedCount; j += ROWS) {
            packRows(matrix + j * rowBytes, rowBytes, Math.clamp(count - j, 0, ROWS), width, panel, 0);
            long column = to + (j / COLUMNS * (long) width * COLUMNS + j % COLUMNS) * 4;
            for (int d = 0; d < width; d++) {
                for (int r = 0; r < ROWS; r += STRIP.length()) {
                    FloatVector.fromArray(STRIP, panel, d * ROWS + r).mul(scale).intoMemorySegment(ALL, column + d * COLUMN_BYTES + r * 4L, LE);
                }
            }
        }
    }

    /// The reverse: one tile's columns, times a factor each, to rows of a matrix.
    ///
    /// @param tile `[width][COLUMNS]` from `at` on
    /// @param factors `COLUMNS` of them
    static void unpack(float[] tile, int at, float[] factors, int count, int width, float[] panel, long matrix, long rowBytes) {
        for (int j = 0; j < count; j += ROWS) {
            for (int r = 0; r < ROWS; r += STRIP.length()) {
                FloatVector factor = FloatVector.fromArray(STRIP, factors, j + r);
                for (int d = 0; d < width; d++) {
                    FloatVector.fromArray(STRIP, tile, at + d * COLUMNS + j + r).mul(factor).intoArray(panel, d * ROWS + r);
                }
            }
            for (int r = 0; r < Math.min(ROWS, count - j); r++) {
                unpackRow(panel, r, width, matrix + (j + r) * rowBytes);
            }
        }
    }

    private static void unpackRow(float[] panel, int r, int width, long row) {
        for (int d = 0; d < width; d++) {
            ALL.set(JAVA_FLOAT_UNALIGNED, row + d * 4L, panel[d * ROWS + r]);
        }
    }
}
