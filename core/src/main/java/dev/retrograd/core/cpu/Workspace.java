package dev.retrograd.core.cpu;

import java.lang.foreign.Arena;

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
        panels = allocate(arena, NC * MicroKernel.KC);
        steps = allocate(arena, GROUP * MicroKernel.KC);
        rows = allocate(arena, GROUP * MicroKernel.KC);
        turned = allocate(arena, kernel.paddedRows() * kernel.columns());
        target = new long[Math.max(kernel.columns(), kernel.rows())];
    }

    /// @return bytes of one workspace, off and on the heap
    static long bytes(MicroKernel kernel) {
        long padded = kernel.paddedRows();
        long floats = (NC + 3L * GROUP + kernel.lanes()) * MicroKernel.KC + 2 * padded * kernel.columns();
        return 4 * floats + 8L * Math.max(kernel.columns(), kernel.rows());
    }

    private static long allocate(Arena arena, int floats) {
        return arena.allocate(4L * floats, CACHE_LINE).address();
    }
}
