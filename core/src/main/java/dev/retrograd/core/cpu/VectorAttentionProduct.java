package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.AttentionTile.ROWS;
import static dev.retrograd.core.cpu.VectorMath.LANES;

/// By compiled vectors; the left operand is packed by [AttentionPacking].
final class VectorAttentionProduct extends AttentionProduct {
    private static final VectorKernel KERNEL = VectorKernel.ofBits(Float.SIZE * LANES);

    @Override boolean packs() {
        return true;
    }

    @Override Left rows(long matrix, long rowBytes, int count, int width, AttentionScratch s, float[] panels) {
        AttentionPacking.packRows(matrix, rowBytes, count, width, s.packing, panels);
        return new Left(panels, 0, 0, count, width, TileCode.Left.ROWS);
    }

    @Override Left columns(long matrix, long rowBytes, int count, int width, float[] panels) {
        AttentionPacking.packColumns(matrix, rowBytes, count, width, panels);
        return new Left(panels, 0, 0, width, count, TileCode.Left.STEPS);
    }

    @Override void multiply(AttentionScratch s, Left left, int depth, long right, float[] out, int to, int columns, boolean add) {
        for (int r = 0; r < left.rows(); r += ROWS) {
            if (add) {
                AttentionTile.multiplyAdd(depth, left.panels(), r * left.depth(), right, out, to + r * COLUMNS);
            } else {
                AttentionTile.multiply(depth, left.panels(), r * left.depth(), right, out, to + r * COLUMNS);
            }
        }
    }

    @Override void turn(AttentionScratch s, float[] from, int tile, int rows) {
        for (int row = 0; row < rows; row += LANES) {
            for (int column = 0; column < COLUMNS; column += LANES) {
                KERNEL.transpose(from, row * COLUMNS + column, COLUMNS, s.turned(row, tile * COLUMNS + column), COLUMN_BYTES);
            }
        }
    }
}
