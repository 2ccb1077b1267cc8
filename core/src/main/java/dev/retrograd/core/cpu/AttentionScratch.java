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
    /// Results of each tile, `[paddedWidth][COLUMNS]`.
    final float[] result;
    final float[] otherResult;
    /// Two floats per column.
    final float[] statistics;
    final float[] otherStatistics;
    /// `[BLOCK_ROWS][COLUMNS]`, as the products give them.
    final float[] scores;
    final float[] otherScores;
    /// A block of keys with the head's channels as rows, for dq.
    final float[] keyPanels;
    /// A product on its way to a result, `[paddedWidth][COLUMNS]`.
    final float[] product;
    /// Of {@link AttentionPacking}.
    final float[] packing = new float[AttentionPacking.SCRATCH];
    /// One float per column of a tile.
    final float[] factors = new float[COLUMNS];
    /// Addresses: right operands of each tile, `[width][COLUMNS]`.
    final long right;
    final long otherRight;
    /// Addresses: probabilities and gradients of scores, `[BLOCK_ROWS][COLUMNS]`, right operands of the second products.
    final long weights;
    final long otherWeights;
    /// Address: gradients of a block of scores with keys as rows, a tile of `[columns][COLUMNS]` after the other; right operands for dq.
    private final long turned;
    private final int columns;
    final long bytes;
    /// Address: arguments of machine code.
    final long call;
    /// Keeps the addresses alive.
    private final Arena arena = Arena.ofAuto();

    /// @param packs whether the left operands of products are packed; otherwise their panels have no floats
    AttentionScratch(int width, boolean packs) {
        this.width = width;
        paddedWidth = AttentionTile.padded(width);
        int panels = packs ? BLOCK_ROWS * paddedWidth : 0;
        first = new float[panels];
        second = new float[panels];
        third = new float[panels];
        fourth = new float[panels];
        panel = new float[ROWS * width];
        columns = columns(width);
        keyPanels = new float[packs ? columns * paddedWidth : 0];
        product = new float[paddedWidth * COLUMNS];
        result = new float[columns * paddedWidth];
        otherResult = new float[columns * paddedWidth];
        statistics = new float[columns];
        otherStatistics = new float[columns];
        scores = new float[BLOCK_ROWS * COLUMNS];
        otherScores = new float[BLOCK_ROWS * COLUMNS];
        right = floats(columns * width);
        otherRight = floats(columns * width);
        weights = floats(BLOCK_ROWS * COLUMNS);
        otherWeights = floats(BLOCK_ROWS * COLUMNS);
        turned = floats(columns * BLOCK_ROWS);
        call = floats(MachineCall.BYTES / Float.BYTES);
        bytes = 4L * (4 * panels + keyPanels.length + panel.length + packing.length + columns * (2 * width + 2 * paddedWidth + 2 + BLOCK_ROWS)
                + (4 * BLOCK_ROWS + paddedWidth + 1) * COLUMNS) + MachineCall.BYTES;
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

    /// Columns of a block.
    int columns() {
        return columns;
    }

    /// Address of a gradient in the turned block: tiles of {@link AttentionTile#COLUMNS} queries, of each a row for every key.
    long turned(int query, int key) {
        return turned + ((long) query / COLUMNS * columns + key) * COLUMN_BYTES + query % COLUMNS * 4L;
    }

    /// Where a tile's results begin.
    int result(int tile) {
        return tile * paddedWidth * COLUMNS;
    }
}
