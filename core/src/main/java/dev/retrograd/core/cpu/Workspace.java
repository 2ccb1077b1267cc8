package dev.retrograd.core.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The packing buffers of one thread. Their size depends on the kernel only, never on a problem.
final class Workspace {

    /// Columns of the packed right block: with [MicroKernel#KC] steps, just under 1 MB, to stay in a core's second-level cache.
    static final int NC = 640;
    static final long PANEL_BYTES = 4L * NC * MicroKernel.KC;
    /// Rows transposed from steps at a time: whole tiles and whole vectors at every width, and whole cache lines of each step.
    static final int GROUP = 48;
    private static final long CACHE_LINE = 64;

    /// Packed rows, of one tile or a group of them.
    final float[] left;
    /// Lines on their way to a panel.
    final float[] lines;
    final float[] tile;
    final MemorySegment tileSegment;
    final MemorySegment linesSegment;
    /// Arguments of machine code.
    final long call;
    /// Where a tile's rows lie: so many bytes from an array or, in place, from address 0.
    MemorySegment rowBase;
    long rowAt;
    /// From one row to the next, in bytes.
    long rowStride;
    /// Address of rows that will be used next.
    long nextRows;
    final MemorySegment leftSegment;
    /// Packed panels of the right block.
    final long panels;
    /// Steps on their way to rows.
    final long steps;
    /// Rows transposed from steps.
    final long rows;
    /// A transposed tile.
    final long turned;
    /// Addresses of the result's rows under one tile.
    final long[] target;

    Workspace(Arena arena, MicroKernel kernel) {
        left = new float[GROUP * MicroKernel.KC];
        lines = new float[kernel.lanes() * MicroKernel.KC];
        tile = new float[kernel.paddedRows() * kernel.columns()];
        leftSegment = MemorySegment.ofArray(left);
        tileSegment = MemorySegment.ofArray(tile);
        linesSegment = MemorySegment.ofArray(lines);
        call = allocate(arena, MachineCall.BYTES / Float.BYTES);
        panels = allocate(arena, NC * MicroKernel.KC);
        steps = allocate(arena, GROUP * MicroKernel.KC);
        rows = allocate(arena, GROUP * MicroKernel.KC);
        turned = allocate(arena, kernel.paddedRows() * kernel.columns());
        target = new long[Math.max(kernel.columns(), kernel.rows())];
    }

    /// The tile's rows are the packed ones from `left[at]`.
    void rowsPacked(int at) {
        rowBase = leftSegment;
        rowAt = 4L * at;
        rowStride = 4L * MicroKernel.KC;
        nextRows = panels;
    }

    /// The tile's rows are an operand's own, and the next tile's follow.
    void rowsInPlace(long address, long stride, int rows) {
        rowBase = Native.ALL;
        rowAt = address;
        rowStride = stride;
        nextRows = address + rows * stride;
    }

    int packedAt() {
        return (int) (rowAt / 4);
    }

    /// @return bytes of one workspace, off and on the heap
    static long bytes(MicroKernel kernel) {
        long padded = kernel.paddedRows();
        long floats = (NC + 3L * GROUP + kernel.lanes()) * MicroKernel.KC + 2 * padded * kernel.columns() + MachineCall.BYTES / Float.BYTES;
        return 4 * floats + 8L * Math.max(kernel.columns(), kernel.rows());
    }

    private static long allocate(Arena arena, int floats) {
        return arena.allocate(4L * floats, CACHE_LINE).address();
    }
}
