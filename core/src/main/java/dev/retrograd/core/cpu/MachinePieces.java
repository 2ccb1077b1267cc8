package dev.retrograd.core.cpu;

import dev.retrograd.core.cpu.TileCode.Kind;
import dev.retrograd.core.cpu.TileCode.Left;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The machine code of one vector width, made once for the whole process: tiles when they are needed first, as there are many.
final class MachinePieces {
    /// By vector width.
    private static final Map<Integer, MachinePieces> BY_BITS = new ConcurrentHashMap<>();

    private final int bits;
    private final int rows;
    private final MemorySegment[] tiles;
    /// A transpose to half a panel, or to half a tile with rows and columns exchanged.
    final MemorySegment linesToPanel;
    final MemorySegment stepsToPanels;
    /// A transpose to packed rows.
    final MemorySegment stepsToRows;
    /// A transpose of a tile to rows of as many floats as a tile has rows, rounded up to whole vectors.
    final MemorySegment turn;

    private MachinePieces(int bits, int rows) {
        this.bits = bits;
        this.rows = rows;
        tiles = new MemorySegment[Left.values().length * Kind.values().length * rows];
        int lanes = bits / Float.SIZE;
        linesToPanel = MachineCode.load(PackCode.transpose(bits, Float.BYTES * 2 * lanes));
        stepsToPanels = MachineCode.load(PackCode.spread(bits));
        stepsToRows = MachineCode.load(PackCode.transpose(bits, Float.BYTES * MicroKernel.KC));
        turn = MachineCode.load(PackCode.transpose(bits, Float.BYTES * GemmPlan.extent(rows, 1, lanes)));
    }

    /// @param bits 512 or 256
    static MachinePieces of(int bits) {
        return BY_BITS.computeIfAbsent(bits, b -> new MachinePieces(b, VectorKernel.ofBits(b).rows()));
    }

    /// Most rows of a tile.
    int rows() {
        return rows;
    }

    MemorySegment tile(int rows, Kind kind, Left left) {
        int i = (left.ordinal() * Kind.values().length + kind.ordinal()) * this.rows + rows - 1;
        MemorySegment code = tiles[i];
        return code != null ? code : make(i, rows, kind, left);
    }

    private synchronized MemorySegment make(int i, int rows, Kind kind, Left left) {
        if (tiles[i] == null) {
            tiles[i] = MachineCode.load(TileCode.of(bits, rows, kind, left));
        }
        return tiles[i];
    }
}
