package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.AttentionTile.ROWS;

import java.lang.foreign.Arena;

/// What one thread needs to work on a block of attention: panels of a block of rows, and the tiles of a block of columns.
///
/// Sized by the head width alone, never by the number of queries or keys.
final class AttentionScratch {
    /// Rows of a block: scores of a tile, and two panels of usual heads, share the first-level cache.
    static final int BLOCK_ROWS = 64;
    /// Floats that the right operands of a block may take, for them to stay in the second-level cache.
    private static final int BLOCK_FLOATS = 1 << 17;
    private static final int MAX_COLUMNS = 512;
    private static final int MIN_COLUMNS = 128;

    final int width;
    /// Head width in whole tile rows.
    final int paddedWidth;
    final float[] first;
    final float[] second;
    final float[] third;
    final float[] fourth;
    /// One panel on its way to or from tiles.
    final float[] panel;
    /// Addresses: right operands of each tile, `[width][COLUMNS]`.
    final long right;
    final long otherRight;
    /// Results of each tile, `[paddedWidth][COLUMNS]`.
    final long result;
    final long otherResult;
    /// Two floats per column.
    final long statistics;
    final long otherStatistics;
    /// `[BLOCK_ROWS][COLUMNS]`
    final long scores;
    final long otherScores;
    /// A tile of zeros.
    final long zeros;
    final long bytes;
    /// Keeps the addresses alive.
    private final Arena arena = Arena.ofAuto();

    AttentionScratch(int width) {
        this.width = width;
        paddedWidth = AttentionTile.padded(width);
        int panels = BLOCK_ROWS * paddedWidth;
        first = new float[panels];
        second = new float[panels];
        third = new float[panels];
        fourth = new float[panels];
        panel = new float[ROWS * width];
        int columns = columns(width);
        right = floats(columns * width);
        otherRight = floats(columns * width);
        result = floats(columns * paddedWidth);
        otherResult = floats(columns * paddedWidth);
        statistics = floats(columns);
        otherStatistics = floats(columns);
        scores = floats(BLOCK_ROWS * COLUMNS);
        otherScores = floats(BLOCK_ROWS * COLUMNS);
        zeros = floats(ROWS * COLUMNS);
        bytes = 4L * (4 * panels + panel.length + 2 * columns * (width + paddedWidth + 1) + (2 * BLOCK_ROWS + ROWS) * COLUMNS);
    }

    private long floats(int count) {
        return arena.allocate(count * 4L, 64).address();
    }

    /// Columns of a block for heads of this width.
    static int columns(int width) {
        return Math.clamp(BLOCK_FLOATS / width, MIN_COLUMNS, MAX_COLUMNS) / COLUMNS * COLUMNS;
    }

    long right(int tile) {
        return right + tile * width * COLUMN_BYTES;
    }

    long otherRight(int tile) {
        return otherRight + tile * width * COLUMN_BYTES;
    }

    long result(int tile) {
        return result + tile * paddedWidth * COLUMN_BYTES;
    }

    long otherResult(int tile) {
        return otherResult + tile * paddedWidth * COLUMN_BYTES;
    }
}
