package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;

import jdk.incubator.vector.FloatVector;

/// A tile of [VectorAttentionProduct], whose operands [AttentionPacking] lays out: 8 rows by {@link #COLUMNS} columns in registers. The left
/// operand lies in panels, 8 floats per depth step.
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
    private static final float[] ZEROS = new float[ROWS * COLUMNS];

    private AttentionTile() {
    }

    /// `out = left·right`, {@link #ROWS} rows, {@link #COLUMNS} floats apart.
    ///
    /// @param at where the panel begins in `left`
    /// @param right address of the right operand
    /// @param to where the rows begin in `out`
    static void multiply(int depth, float[] left, int at, long right, float[] out, int to) {
        multiply(depth, left, at, right, ZEROS, 0, out, to);
    }

    /// `out += left·right`.
    static void multiplyAdd(int depth, float[] left, int at, long right, float[] out, int to) {
        multiply(depth, left, at, right, out, to, out, to);
    }

    private static void multiply(int depth, float[] left, int at, long right, float[] start, int from, float[] out, int to) {
        if (WIDE) {
            eightRows(depth, left, at, right, start, from, out, to);
        } else {
            fourRows(depth, left, at, right, start, from, out, to);
            fourRows(depth, left, at + 4, right, start, from + 4 * COLUMNS, out, to + 4 * COLUMNS);
        }
    }

    private static void eightRows(int depth, float[] left, int at, long right, float[] start, int from, float[] out, int to) {
        FloatVector c0l = FloatVector.fromArray(FLOATS, start, from), c0r = FloatVector.fromArray(FLOATS, start, from + LANES);
        FloatVector c1l = FloatVector.fromArray(FLOATS, start, from + COLUMNS), c1r = FloatVector.fromArray(FLOATS, start, from + COLUMNS + LANES);
        FloatVector c2l = FloatVector.fromArray(FLOATS, start, from + 2 * COLUMNS), c2r = FloatVector.fromArray(FLOATS, start, from + 2 * COLUMNS + LANES);
        FloatVector c3l = FloatVector.fromArray(FLOATS, start, from + 3 * COLUMNS), c3r = FloatVector.fromArray(FLOATS, start, from + 3 * COLUMNS + LANES);
        FloatVector c4l = FloatVector.fromArray(FLOATS, start, from + 4 * COLUMNS), c4r = FloatVector.fromArray(FLOATS, start, from + 4 * COLUMNS + LANES);
        FloatVector c5l = FloatVector.fromArray(FLOATS, start, from + 5 * COLUMNS), c5r = FloatVector.fromArray(FLOATS, start, from + 5 * COLUMNS + LANES);
        FloatVector c6l = FloatVector.fromArray(FLOATS, start, from + 6 * COLUMNS), c6r = FloatVector.fromArray(FLOATS, start, from + 6 * COLUMNS + LANES);
        FloatVector c7l = FloatVector.fromArray(FLOATS, start, from + 7 * COLUMNS), c7r = FloatVector.fromArray(FLOATS, start, from + 7 * COLUMNS + LANES);
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

    private static void fourRows(int depth, float[] left, int at, long right, float[] start, int from, float[] out, int to) {
        FloatVector c0l = FloatVector.fromArray(FLOATS, start, from), c0r = FloatVector.fromArray(FLOATS, start, from + LANES);
        FloatVector c1l = FloatVector.fromArray(FLOATS, start, from + COLUMNS), c1r = FloatVector.fromArray(FLOATS, start, from + COLUMNS + LANES);
        FloatVector c2l = FloatVector.fromArray(FLOATS, start, from + 2 * COLUMNS), c2r = FloatVector.fromArray(FLOATS, start, from + 2 * COLUMNS + LANES);
        FloatVector c3l = FloatVector.fromArray(FLOATS, start, from + 3 * COLUMNS), c3r = FloatVector.fromArray(FLOATS, start, from + 3 * COLUMNS + LANES);
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

    /// `result = result·factor + product` with a factor per column, `rows` rows.
    static void fold(float[] product, int rows, float[] factors, float[] result, int at) {
        FloatVector left = FloatVector.fromArray(FLOATS, factors, 0);
        FloatVector right = FloatVector.fromArray(FLOATS, factors, LANES);
        for (int i = 0; i < rows * COLUMNS; i += COLUMNS) {
            FloatVector.fromArray(FLOATS, result, at + i).fma(left, FloatVector.fromArray(FLOATS, product, i)).intoArray(result, at + i);
            FloatVector.fromArray(FLOATS, result, at + i + LANES).fma(right, FloatVector.fromArray(FLOATS, product, i + LANES))
                    .intoArray(result, at + i + LANES);
        }
    }

    /// Rounds up to whole tile rows.
    static int padded(int count) {
        return (count + ROWS - 1) / ROWS * ROWS;
    }
}
