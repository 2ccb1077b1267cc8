package dev.retrograd.core.cpu;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.ref.Reference;

/// Float32 matrix products `C = alpha·A·B (+ bias) (+ C)` on native memory, over all workers.
///
/// `A` is [M, K], `B` [K, N], `C` [M, N] with contiguous rows; any of `A` and `B` may be a transposed view, and rest in 16
/// bits. Blocks of the operands are packed on the fly (converted, gathered, transposed) for [MicroKernel], as far as it does not
/// read them where they lie; packing buffers belong to this object and never grow. The order of the sum over K is fixed by K or, for
/// patches, by the convolution, so results have the same bits for any number of workers, any cut and any kernel.
///
/// Source of the blocking: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.
final class Gemm implements AutoCloseable {

    /// Depth blocks are multiples of this, whatever the vector width, so that every width sums alike.
    private static final int DEPTH_UNIT = 16;
    /// Blocks of patches are not cut shorter than this to lie within a tap.
    private static final int SHORTEST_BLOCK = 192;

    private final Workers workers;
    private final MicroKernel kernel;
    private final Arena arena = Arena.ofShared();
    private final Workspace[] workspaces;

    /// An engine with this machine's preferred kernel.
    Gemm(Workers workers) {
        this(workers, MicroKernel.preferred());
    }

    Gemm(Workers workers, MicroKernel kernel) {
        this.workers = workers;
        this.kernel = kernel;
        workspaces = new Workspace[workers.threads()];
        for (int i = 0; i < workspaces.length; i++) {
            workspaces[i] = new Workspace(arena, kernel);
        }
    }

    /// @return bytes of all packing buffers, constant from construction to close
    long workspaceBytes() {
        return workspaces.length * Workspace.bytes(kernel);
    }

    /// Computes `batch` products. `C` must not overlap `A` or `B`, nor its own other matrices.
    ///
    /// @param c float32, column stride 1
    /// @throws IllegalArgumentException if extents disagree, C is not float32 with contiguous rows, or memory is too short
    /// @throws IllegalStateException if memory or this engine is closed
    void multiply(int batch, Matrix a, Matrix b, Matrix c, Epilogue epilogue) {
        if (batch < 0 || a.columns() != b.rows() || c.rows() != a.rows() || c.columns() != b.columns()) {
            throw new IllegalArgumentException("gemm: batch %d of [%d,%d]·[%d,%d] must give [%d,%d], got C [%d,%d]".formatted(batch,
                    a.rows(), a.columns(), b.rows(), b.columns(), a.rows(), b.columns(), c.rows(), c.columns()));
        }
        if (c.type() != DType.F32 || c.columns() > 1 && c.columnStride() != 1) {
            throw new IllegalArgumentException("gemm: C must be F32 with contiguous rows, got %s with columns %d apart"
                    .formatted(c.type(), c.columnStride()));
        }
        Target target = new Target.Dense(c.checkedAddress("gemm: result", batch), c.rowStride(), c.batchStride());
        try {
            run(batch, c.rows(), c.columns(), a.columns(), a.leftSource(batch), b.rightSource(batch), target,
                    epilogue.checked("gemm", c.columns()));
        } finally {
            Reference.reachabilityFence(a.data());
            Reference.reachabilityFence(b.data());
            Reference.reachabilityFence(c.data());
            Reference.reachabilityFence(epilogue.bias());
        }
    }

    /// The product of two sources, all memory having been checked.
    void run(int batch, int m, int n, int k, Source left, Source right, Target target, MicroKernel.Update update) {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("gemm: engine must be open, got a call after close");
        }
        if (batch == 0 || m == 0 || n == 0) {
            return;
        }
        GemmPlan plan = GemmPlan.of(kernel, workers.available(), batch, m, n, k, left, right);
        Product product = plan.turned() ? new Product(plan, n, m, k, right, left, target, update)
                : new Product(plan, m, n, k, left, right, target, update);
        int tasks = plan.tasks();
        workers.run(Math.multiplyExact(batch, tasks),
                (worker, task) -> product.run(task / tasks, task % tasks, workspaces[worker]));
    }

    @Override public void close() {
        arena.close();
    }

    /// One product on its way; `rows` and `columns` are the kernel's sides, not C's.
    private final class Product {
        private final GemmPlan plan;
        private final int rows;
        private final int columns;
        private final int k;
        private final int depthBlock;
        private final Source rowSide;
        private final Source panelSide;
        private final Target target;
        private final MicroKernel.Update first;
        private final MicroKernel.Update next;

        Product(GemmPlan plan, int rows, int columns, int k, Source rowSide, Source panelSide, Target target,
                MicroKernel.Update update) {
            this.plan = plan;
            this.rows = rows;
            this.columns = columns;
            this.k = k;
            this.rowSide = rowSide;
            this.panelSide = panelSide;
            this.target = target;
            first = update;
            next = new MicroKernel.Update(update.alpha(), 0, true);
            depthBlock = depthBlock(rowSide, panelSide);
        }

        /// Equal blocks; of patches, such that a block lies within a tap.
        private int depthBlock(Source... sides) {
            for (Source side : sides) {
                if (side instanceof Source.Lines lines && lines.run() > 0) {
                    int run = lines.run();
                    for (int parts = Math.max(1, Math.ceilDiv(run, MicroKernel.KC)); run >= parts * SHORTEST_BLOCK; parts++) {
                        if (run % (parts * DEPTH_UNIT) == 0) {
                            return run / parts;
                        }
                    }
                }
            }
            return GemmPlan.extent(k, Math.max(1, Math.ceilDiv(k, MicroKernel.KC)), DEPTH_UNIT);
        }

        void run(int batch, int task, Workspace w) {
            int row = task % plan.rowTasks() * plan.rows();
            int rowEnd = Math.min(rows, row + plan.rows());
            int column = task / plan.rowTasks() * plan.columns();
            int columnEnd = Math.min(columns, column + plan.columns());
            int chunks = (columnEnd - column + Workspace.NC - 1) / Workspace.NC;
            int chunk = GemmPlan.extent(columnEnd - column, chunks, kernel.columns());
            for (int j = column; j < columnEnd; j += chunk) {
                int width = Math.min(chunk, columnEnd - j);
                // Blocks of depth that share the buffer: their rows of C, and what neighbouring patches share, stay in a cache between them.
                long blockBytes = panelBytes(depthBlock) * ((width + kernel.columns() - 1) / kernel.columns());
                int together = (int) Math.max(1, Workspace.PANEL_BYTES / Math.max(1, blockBytes));
                // K = 0 is one block without depth: its tiles are zero, and the epilogue still holds.
                int p = 0;
                do {
                    int end = (int) Math.min(k, p + (long) together * depthBlock);
                    for (int q = p; q < end; q += depthBlock) {
                        packPanels(batch, q, Math.min(depthBlock, k - q), j, width, w.panels + (q - p) / depthBlock * blockBytes, w);
                    }
                    multiplyRows(batch, row, rowEnd, p, end, blockBytes, j, width, w);
                    p = end;
                } while (p < k);
            }
        }

        private void packPanels(int batch, int p, int depth, int column, int width, long panels, Workspace w) {
            int columns = kernel.columns();
            switch (panelSide) {
                case Source.Steps steps -> kernel.packPanels(steps, batch, column, width, p, depth, panels, panelBytes(depth), w);
                case Source.Lines lines -> {
                    int lanes = kernel.lanes();
                    for (int j = 0; j < width; j += lanes) {
                        long half = panels + panelBytes(depth) * (j / columns) + 4L * (j % columns);
                        kernel.packPanel(lines, batch, column + j, Math.min(lanes, width - j), p, depth, half, w);
                    }
                }
            }
        }

        private void packRows(int batch, int row, int height, int p, int depth, Workspace w) {
            switch (rowSide) {
                case Source.Lines lines -> lines.read(batch, row, height, p, depth, w.left);
                case Source.Steps steps -> kernel.packRows(steps, batch, row, height, p, depth, w);
            }
        }

        /// The depth from `p` to `end`, block by block for each group of rows.
        private void multiplyRows(int batch, int row, int rowEnd, int p, int end, long blockBytes, int column, int width, Workspace w) {
            int group = rowSide instanceof Source.Lines ? kernel.rows() : Workspace.GROUP;
            boolean inPlace = rowSide instanceof Source.Lines && kernel.readsInPlace();
            for (int g = row; g < rowEnd; g += group) {
                int groupEnd = Math.min(rowEnd, g + group);
                long panels = w.panels;
                int q = p;
                do {
                    int depth = Math.min(depthBlock, end - q);
                    long rows = inPlace && depth > 0 ? ((Source.Lines) rowSide).inPlace(batch, g, groupEnd - g, q, depth) : 0;
                    if (rows != 0) {
                        w.rowsInPlace(rows, ((Source.Lines) rowSide).lineBytes(), group);
                        multiplyTiles(batch, g, groupEnd - g, q, depth, panels, column, width, w);
                    } else {
                        if (depth > 0) {
                            packRows(batch, g, groupEnd - g, q, depth, w);
                        }
                        for (int r = g; r < groupEnd; r += kernel.rows()) {
                            w.rowsPacked((r - g) * MicroKernel.KC);
                            multiplyTiles(batch, r, Math.min(kernel.rows(), groupEnd - r), q, depth, panels, column, width, w);
                        }
                    }
                    q += depthBlock;
                    panels += blockBytes;
                } while (q < end);
            }
        }

        /// One row of tiles.
        private void multiplyTiles(int batch, int row, int height, int p, int depth, long panels, int column, int width, Workspace w) {
            MicroKernel.Update update = p == 0 ? first : next;
            long panelBytes = panelBytes(depth);
            if (!plan.turned()) {
                aim(batch, row, height, w.target);
                kernel.strip(w, height, panels, panelBytes, width, depth, update, 4L * column);
                return;
            }
            long panel = panels;
            for (int j = 0; j < width; j += kernel.columns(), panel += panelBytes) {
                int count = Math.min(kernel.columns(), width - j);
                aim(batch, column + j, count, w.target);
                kernel.turnedTile(w, height, panel, count, depth, update, 4L * row);
            }
        }

        private void aim(int batch, int row, int count, long[] addresses) {
            for (int i = 0; i < count; i++) {
                addresses[i] = target.row(batch, row + i);
            }
        }

        /// Transposing writes whole vectors of steps, so a panel has room for them.
        private long panelBytes(int depth) {
            return 4L * kernel.columns() * GemmPlan.extent(depth, 1, kernel.lanes());
        }
    }
}
