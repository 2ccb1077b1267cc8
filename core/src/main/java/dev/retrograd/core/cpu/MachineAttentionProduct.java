package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.AttentionTile.COLUMNS;
import static dev.retrograd.core.cpu.AttentionTile.COLUMN_BYTES;
import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.cpu.TileCode.Kind;
import java.lang.foreign.MemorySegment;

/// By machine code, which reads the left operand where it lies; the bits are those of [VectorAttentionProduct].
final class MachineAttentionProduct extends AttentionProduct {
    private final MachinePieces pieces = MachinePieces.of(Float.SIZE * LANES);

    @Override boolean packs() {
        return false;
    }

    @Override Left rows(long matrix, long rowBytes, int count, int width, AttentionScratch s, float[] panels) {
        return new Left(panels, matrix, rowBytes, count, width, TileCode.Left.ROWS);
    }

    @Override Left columns(long matrix, long rowBytes, int count, int width, float[] panels) {
        return new Left(panels, matrix, rowBytes, width, count, TileCode.Left.STEPS);
    }

    @Override void multiply(AttentionScratch s, Left left, int depth, long right, float[] out, int to, int columns, boolean add) {
        ALL.set(JAVA_LONG, s.call + MachineCall.PANEL, right);
        ALL.set(JAVA_LONG, s.call + MachineCall.DEPTH, depth);
        ALL.set(JAVA_LONG, s.call + MachineCall.STRIDE, left.stride());
        MemorySegment scratch = MemorySegment.ofArray(out);
        boolean narrow = columns <= LANES;
        Kind kind = add ? narrow ? Kind.SCRATCH_ADD_NARROW : Kind.SCRATCH_ADD : narrow ? Kind.SCRATCH_NARROW : Kind.SCRATCH;
        int whole = left.rows() / pieces.rows();
        int rest = left.rows() % pieces.rows();
        if (whole > 0) {
            run(s, left, 0, whole, pieces.rows(), kind, scratch, to);
        }
        if (rest > 0) {
            run(s, left, whole * pieces.rows(), 1, rest, kind, scratch, to);
        }
    }

    private void run(AttentionScratch s, Left left, int row, int count, int rows, Kind kind, MemorySegment scratch, int to) {
        long rowBytes = left.layout() == TileCode.Left.STEPS ? Float.BYTES : left.stride();
        ALL.set(JAVA_LONG, s.call + MachineCall.TILES, count);
        ALL.set(JAVA_LONG, s.call + MachineCall.SCRATCH, (long) Float.BYTES * (to + row * COLUMNS));
        MachineCode.call(pieces.tile(rows, kind, left.layout()), ALL, left.address() + row * rowBytes, s.call, scratch);
    }

    @Override void turn(AttentionScratch s, float[] from, int tile, int rows) {
        ALL.set(JAVA_LONG, s.call + MachineCall.STRIDE, COLUMN_BYTES);
        ALL.set(JAVA_LONG, s.call + MachineCall.DEPTH, COLUMNS / LANES);
        MemorySegment scores = MemorySegment.ofArray(from);
        for (int row = 0; row < rows; row += LANES) {
            ALL.set(JAVA_LONG, s.call + MachineCall.PANEL, s.turned(row, tile * COLUMNS));
            MachineCode.call(pieces.linesToPanel, scores, row * COLUMN_BYTES, s.call, ALL);
        }
    }
}
