package dev.retrograd.core.cpu;

/// How one product is cut into tasks: which operand takes the kernel's row side, and how far a task reaches on each side.
///
/// Each task packs its own panels, so cutting rows repeats the packing of panels and cutting columns repeats the reading of
/// rows; the plan with the least estimated time wins. No choice here changes a bit of the result.
///
/// @param turned true when the right operand's columns are the kernel's rows, and tiles are transposed on the way out
/// @param rows extent of a task on the row side
/// @param columns extent of a task on the panel side
record GemmPlan(boolean turned, int rows, int columns, int rowTasks, int columnTasks) {

    // Nanoseconds per element, tile or task on a 2.7 GHz core with 512-bit vectors, of machine code; only their ratios matter.
    private static final double MULTIPLY_ADD_LANE = 0.0105 * 16;
    private static final double LINES_TO_ROWS = 0.02;
    private static final double STEPS_TO_ROWS = 0.3;
    private static final double STEPS_TO_PANELS = 0.1;
    private static final double LINES_TO_PANELS = 0.3;
    private static final double STORE_TILE = 35;
    private static final double STORE_TURNED_TILE = 120;
    private static final double AIM_ROW = 5;
    private static final double TASK = 400;
    private static final double HAND_OFF = 4_000;
    /// What the last round of tasks is expected to lose to cores that are busy elsewhere, in tasks; it favours more, smaller ones.
    private static final double IDLE_TAIL = 0.1;
    /// Most tasks per thread.
    private static final int LOAD = 4;

    int tasks() {
        return rowTasks * columnTasks;
    }

    /// @param threads that may share the work; 1 inside a parallel loop
    static GemmPlan of(MicroKernel kernel, int threads, int batch, int m, int n, int k, Source left, Source right) {
        Estimate straight = new Estimate(kernel, false, batch, m, n, k, left, right);
        Estimate turned = new Estimate(kernel, true, batch, n, m, k, right, left);
        double one = straight.nanos(1, 1, 1);
        double oneTurned = turned.nanos(1, 1, 1);
        Choice best = one <= oneTurned ? new Choice(straight, 1, 1, one) : new Choice(turned, 1, 1, oneTurned);
        if (threads > 1 && best.nanos > 2 * HAND_OFF) {
            best = straight.improve(best, threads);
            best = turned.improve(best, threads);
        }
        return best.estimate.plan(best.rowTasks, best.columnTasks);
    }

    private record Choice(Estimate estimate, int rowTasks, int columnTasks, double nanos) {}

    /// The time of one product, `rows` and `columns` being the kernel's sides.
    private record Estimate(MicroKernel kernel, boolean turned, int batch, int rows, int columns, int k,
            Source rowSide, Source panelSide) {

        Choice improve(Choice best, int threads) {
            for (int rowTasks = 1; rowTasks <= 2 * threads; rowTasks++) {
                for (int load = 1; load <= LOAD; load++) {
                    int columnTasks = Math.max(1, load * threads / (rowTasks * Math.min(batch, threads)));
                    double nanos = nanos(rowTasks, columnTasks, threads) + HAND_OFF;
                    if (nanos < best.nanos) {
                        best = new Choice(this, rowTasks, columnTasks, nanos);
                    }
                }
            }
            return best;
        }

        double nanos(int rowTasks, int columnTasks, int threads) {
            int r = extent(rows, rowTasks, kernel.rows());
            int c = extent(columns, columnTasks, kernel.columns());
            long tasks = (long) batch * ceil(rows, r) * ceil(columns, c);
            double readRow = rowSide instanceof Source.Lines ? LINES_TO_ROWS : STEPS_TO_ROWS;
            double readPanel = panelSide instanceof Source.Steps ? STEPS_TO_PANELS : LINES_TO_PANELS;
            double paddedRows = kernel.paddedHeight(r);
            double paddedColumns = ceil(c, kernel.lanes()) * (double) kernel.lanes();
            double multiply = paddedRows * paddedColumns * MULTIPLY_ADD_LANE / kernel.lanes();
            double read = r * (double) ceil(c, Workspace.NC) * readRow + c * readPanel;
            double tiles = (double) ceil(r, kernel.rows()) * ceil(c, kernel.columns()) * ceil(k, MicroKernel.KC);
            double aim = (turned ? c : r) * (double) ceil(turned ? r : c, turned ? kernel.rows() : Workspace.NC) * ceil(k, MicroKernel.KC) * AIM_ROW;
            double task = aim + k * (multiply + read) + tiles * (turned ? STORE_TURNED_TILE : STORE_TILE) + TASK;
            return ((tasks + threads - 1) / threads + (threads > 1 ? IDLE_TAIL : 0)) * task;
        }

        GemmPlan plan(int rowTasks, int columnTasks) {
            int r = extent(rows, rowTasks, kernel.rows());
            int c = extent(columns, columnTasks, kernel.columns());
            return new GemmPlan(turned, r, c, ceil(rows, r), ceil(columns, c));
        }
    }

    /// @return the size of each of `parts` equal parts of `size`, rounded up to whole units
    static int extent(int size, int parts, int unit) {
        return ceil(ceil(size, parts), unit) * unit;
    }

    private static int ceil(int size, int unit) {
        return (size + unit - 1) / unit;
    }
}
