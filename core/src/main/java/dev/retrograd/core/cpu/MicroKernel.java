package dev.retrograd.core.cpu;

import jdk.incubator.vector.FloatVector;

/// The innermost loops of a matrix product, one subclass per vector width.
///
/// A tile is `rows × columns` outputs held in registers over a run of at most [#KC] depth steps: each step broadcasts one
/// float per row and multiplies it with two vectors. The left operand lies in a `float[]`, one row after the other, `KC`
/// apart; the right one in native memory as a panel, `columns` floats per depth step. The sum over depth is one chain of
/// fused multiply-adds per output whatever the tile, so results do not depend on how a matrix was cut.
///
/// The layout obeys the compiler: constant row distances give bare loads; accumulators are locals; and a tile is written
/// to scratch, because a method that also updated the result would exceed what the optimising compiler accepts.
abstract sealed class MicroKernel permits MicroKernel512, MicroKernel256, MicroKernel128 {

    /// Depth of one packed block, and the distance between packed rows, in floats.
    static final int KC = 384;

    private final int lanes;
    private final int rows;
    private final int edgeRows;

    MicroKernel(int lanes, int rows, int edgeRows) {
        this.lanes = lanes;
        this.rows = rows;
        this.edgeRows = edgeRows;
    }

    /// What becomes of a tile: `C = alpha·tile + bias`, or `C += alpha·tile + bias`.
    ///
    /// @param bias address of the bias of the result's column 0, or 0 where there is none
    record Update(float alpha, long bias, boolean add) {
        boolean hasBias() {
            return bias != 0;
        }
    }

    /// @return the kernel for this machine's preferred vector width
    static MicroKernel preferred() {
        return ofBits(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));
    }

    /// @param bits 128, 256 or 512; wider than the machine's vectors is correct but very slow
    static MicroKernel ofBits(int bits) {
        return switch (bits) {
            case 512 -> new MicroKernel512();
            case 256 -> new MicroKernel256();
            case 128 -> new MicroKernel128();
            default -> throw new IllegalArgumentException("gemm: vector width must be 128, 256 or 512 bits, got " + bits);
        };
    }

    final int lanes() {
        return lanes;
    }

    /// Rows of a whole tile.
    final int rows() {
        return rows;
    }

    /// Columns of a tile, and floats per depth step of a panel.
    final int columns() {
        return 2 * lanes;
    }

    /// Rows of a tile rounded up to whole vectors: what a transposed block of rows occupies.
    final int paddedRows() {
        return (rows + lanes - 1) / lanes * lanes;
    }

    /// Rows that are computed for `height` rows: whole tiles, then whole edges.
    final int paddedHeight(int height) {
        int left = height % rows;
        return height - left + (left > 2 * edgeRows ? rows : (left + edgeRows - 1) / edgeRows * edgeRows);
    }

    /// Computes a tile of `height ≤ rows` (from `a[at]`) by `width ≤ columns` into `out` (row distance `columns`). Scratch outside that
    /// part holds anything afterwards.
    final void multiply(float[] a, int at, int height, long b, int width, int depth, float[] out) {
        boolean narrow = width <= lanes;
        if (height > 2 * edgeRows) {
            if (narrow) {
                tileNarrow(a, at, b, depth, out);
            } else {
                tile(a, at, b, depth, out);
            }
            return;
        }
        for (int r = 0; r < height; r += edgeRows) {
            if (narrow) {
                edgeNarrow(a, at + r * KC, b, depth, out, r * columns());
            } else {
                edge(a, at + r * KC, b, depth, out, r * columns());
            }
        }
    }

    /// Whole tile of rows from `a[at]`.
    abstract void tile(float[] a, int at, long b, int depth, float[] out);

    /// Whole height, left vector only.
    abstract void tileNarrow(float[] a, int at, long b, int depth, float[] out);

    /// `edgeRows` rows from `a[at]`, to `out[outAt]`.
    abstract void edge(float[] a, int at, long b, int depth, float[] out, int outAt);

    /// `edgeRows` rows, left vector only.
    abstract void edgeNarrow(float[] a, int at, long b, int depth, float[] out, int outAt);

    /// Transposes a block of `lanes × lanes` floats: rows `stride` floats apart from `from[at]`, to rows `toStride` bytes
    /// apart from address `to`. Interleaving the rows i and i + lanes/2 rotates the bits of (row, column) by one, so
    /// log2(lanes) rounds exchange row and column.
    abstract void transpose(float[] from, int at, int stride, long to, long toStride);

    /// Applies `update` with a tile to `rows × columns` floats of the result, whose rows begin at `target[r] + shift`
    /// (bytes); `shift` is the column's distance from column 0, so it addresses the bias as well.
    abstract void store(float[] tile, int rows, int columns, Update update, long[] target, long shift);

    /// As [#store], from a transposed tile in native memory (row distance [#paddedRows]).
    abstract void storeTurned(long turned, int rows, int columns, Update update, long[] target, long shift);
}
