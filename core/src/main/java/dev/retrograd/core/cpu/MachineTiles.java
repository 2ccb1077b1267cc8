package dev.retrograd.core.cpu;

import dev.retrograd.core.cpu.TileCode.Kind;
import dev.retrograd.core.cpu.TileCode.Left;
import java.lang.foreign.MemorySegment;

/// The pieces of [TileCode] of one vector width, each made when it is needed first, for the whole process.
final class MachineTiles {
    private static final MachineTiles WIDE = new MachineTiles(512, 12);
    private static final MachineTiles NARROW = new MachineTiles(256, 6);

    private final int bits;
    private final int rows;
    private final MemorySegment[] pieces;

    private MachineTiles(int bits, int rows) {
        this.bits = bits;
        this.rows = rows;
        pieces = new MemorySegment[Left.values().length * Kind.values().length * rows];
    }

    /// @param bits 512 or 256
    static MachineTiles of(int bits) {
        return bits == 512 ? WIDE : NARROW;
    }

    /// Most rows of a tile.
    int rows() {
        return rows;
    }

    MemorySegment of(int rows, Kind kind, Left left) {
        int i = (left.ordinal() * Kind.values().length + kind.ordinal()) * this.rows + rows - 1;
        MemorySegment code = pieces[i];
        return code != null ? code : make(i, rows, kind, left);
    }

    private synchronized MemorySegment make(int i, int rows, Kind kind, Left left) {
        if (pieces[i] == null) {
            pieces[i] = MachineCode.load(TileCode.of(bits, rows, kind, left));
        }
        return pieces[i];
    }
}
