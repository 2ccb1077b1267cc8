package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.cpu.TileCode.Kind;
import java.lang.foreign.MemorySegment;

/// Products by machine code of our own; the bits are those of [VectorKernel].
final class MachineKernel extends MicroKernel {
    /// For what is rare, and written only once there.
    private final VectorKernel vectors;
    private final int bits;
    private final MachinePieces pieces;

    /// @param vectors of the width to use, 256 or 512 bits
    MachineKernel(VectorKernel vectors) {
        super(vectors.lanes(), vectors.rows());
        this.vectors = vectors;
        bits = Float.SIZE * lanes();
        pieces = MachinePieces.of(bits);
    }

    @Override int paddedHeight(int height) {
        return height;
    }

    @Override boolean readsInPlace() {
        return true;
    }

    @Override void packPanel(Source.Lines lines, int batch, int line, int count, int k, int depth, long panel, Workspace w) {
        int blocks = count == lanes() ? depth / lanes() : 0;
        long from = blocks > 0 ? lines.inPlace(batch, line, count, k, blocks * lanes()) : 0;
        int done = 0;
        if (from != 0) {
            transpose(w, pieces.linesToPanel, ALL, from, lines.lineBytes(), blocks, ALL, panel);
            done = blocks * lanes();
        }
        if (done < depth) {
            lines.read(batch, line, count, k + done, depth - done, w.lines);
            transpose(w, pieces.linesToPanel, w.linesSegment, 0, (long) Float.BYTES * KC, Math.ceilDiv(depth - done, lanes()), ALL, panel + (long) Float.BYTES * done * columns());
        }
    }

    @Override void packPanels(Source.Steps steps, int batch, int line, int count, int k, int depth, long panels, long panelBytes, Workspace w) {
        int whole = count / columns();
        if (whole == 0 || steps.inPlace(batch, k, line) == 0) {
            steps.readPanels(batch, k, depth, line, count, panels, columns(), panelBytes);
            return;
        }
        ALL.set(JAVA_LONG, w.call + MachineCall.STRIDE, steps.stepBytes());
        ALL.set(JAVA_LONG, w.call + MachineCall.PANEL_BYTES, panelBytes);
        ALL.set(JAVA_LONG, w.call + MachineCall.TILES, whole);
        int run;
        for (int step = k; step < k + depth; step += run) {
            run = Math.min(steps.run(step), k + depth - step);
            ALL.set(JAVA_LONG, w.call + MachineCall.DEPTH, run);
            ALL.set(JAVA_LONG, w.call + MachineCall.PANEL, panels + (long) Float.BYTES * (step - k) * columns());
            MachineCode.call(pieces.stepsToPanels, ALL, steps.inPlace(batch, step, line), w.call, ALL);
        }
        int done = whole * columns();
        if (done < count) {
            steps.read(batch, k, depth, line + done, count - done, panels + whole * panelBytes, columns());
        }
    }

    @Override void packRows(Source.Steps steps, int batch, int line, int height, int k, int depth, Workspace w) {
        int padded = GemmPlan.extent(height, 1, lanes());
        steps.read(batch, k, depth, line, height, w.steps, padded);
        for (int q = 0; q < depth; q += lanes()) {
            transpose(w, pieces.stepsToRows, ALL, w.steps + (long) Float.BYTES * q * padded, (long) Float.BYTES * padded, padded / lanes(), w.leftSegment, (long) Float.BYTES * q);
        }
    }

    private static void transpose(Workspace w, MemorySegment code, MemorySegment base, long from, long stride, int blocks, MemorySegment toBase, long to) {
        ALL.set(JAVA_LONG, w.call + MachineCall.STRIDE, stride);
        ALL.set(JAVA_LONG, w.call + MachineCall.DEPTH, blocks);
        ALL.set(JAVA_LONG, w.call + MachineCall.PANEL, to);
        MachineCode.call(code, base, from, w.call, toBase);
    }

    @Override void strip(Workspace w, int height, long panels, long panelBytes, int width, int depth, Update update, long shift) {
        long call = w.call;
        aim(w, panels, depth);
        ALL.set(JAVA_LONG, call + MachineCall.PANEL_BYTES, panelBytes);
        ALL.set(JAVA_LONG, call + MachineCall.BIAS, update.bias());
        ALL.set(JAVA_LONG, call + MachineCall.SHIFT, shift);
        ALL.set(JAVA_FLOAT, call + MachineCall.ALPHA, update.alpha());
        ALL.set(JAVA_INT, call + MachineCall.ADD, update.add() ? 1 : 0);
        for (int r = 0; r < height; r++) {
            ALL.set(JAVA_LONG, call + MachineCall.ROWS + 8L * r, w.target[r]);
        }
        int whole = width / columns();
        if (whole > 0) {
            ALL.set(JAVA_LONG, call + MachineCall.TILES, whole);
            run(w, height, Kind.STRIP);
        }
        int rest = width - whole * columns();
        if (rest == 0) {
            return;
        }
        ALL.set(JAVA_LONG, call + MachineCall.PANEL, panels + whole * panelBytes);
        long restShift = shift + (long) Float.BYTES * whole * columns();
        if (bits == 512) {
            boolean narrow = rest <= lanes();
            ALL.set(JAVA_LONG, call + MachineCall.SHIFT, restShift);
            ALL.set(JAVA_INT, call + MachineCall.LANES, (1 << (narrow ? rest : rest - lanes())) - 1);
            run(w, height, narrow ? Kind.ONE_VECTOR : Kind.TWO_VECTORS);
        } else {
            ALL.set(JAVA_LONG, call + MachineCall.TILES, 1);
            run(w, height, rest <= lanes() ? Kind.SCRATCH_NARROW : Kind.SCRATCH);
            vectors.store(w.tile, height, rest, update, w.target, restShift);
        }
    }

    @Override void turnedTile(Workspace w, int height, long panel, int width, int depth, Update update, long shift) {
        aim(w, panel, depth);
        ALL.set(JAVA_LONG, w.call + MachineCall.TILES, 1);
        run(w, height, width <= lanes() ? Kind.SCRATCH_NARROW : Kind.SCRATCH);
        for (int r = 0; r < paddedRows(); r += lanes()) {
            transpose(w, pieces.turn, w.tileSegment, (long) Float.BYTES * r * columns(), (long) Float.BYTES * columns(), Math.ceilDiv(width, lanes()), ALL, w.turned + (long) Float.BYTES * r);
        }
        vectors.storeTurned(w.turned, width, height, update, w.target, shift);
    }

    private static void aim(Workspace w, long panel, int depth) {
        ALL.set(JAVA_LONG, w.call + MachineCall.PANEL, panel);
        ALL.set(JAVA_LONG, w.call + MachineCall.DEPTH, depth);
        ALL.set(JAVA_LONG, w.call + MachineCall.STRIDE, w.rowStride);
        ALL.set(JAVA_LONG, w.call + MachineCall.NEXT, w.nextRows);
        ALL.set(JAVA_LONG, w.call + MachineCall.SCRATCH, 0);
        ALL.set(JAVA_LONG, w.call + MachineCall.NEXT_ROWS, TileCode.ROWS_AHEAD * w.rowStride - (long) Float.BYTES * depth);
    }

    private void run(Workspace w, int rows, Kind kind) {
        MachineCode.call(pieces.tile(rows, kind, TileCode.Left.ROWS), w.rowBase, w.rowAt, w.call, w.tileSegment);
    }
}
