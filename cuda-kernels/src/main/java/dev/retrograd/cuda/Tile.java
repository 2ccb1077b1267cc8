package dev.retrograd.cuda;

/// The tiles of results that blocks of the tensor-core kernels compute, and the rule that picks one.
///
/// A launch takes as many rounds of the device as its blocks over the multiprocessors, each as long as a tile has results, over the share of a
/// multiprocessor's speed that the tile reaches ({@link TileSpeeds}): operands are read once per row and column of a tile, so small ones wait for memory. The tile with
/// the shortest launch is taken; of equals the largest.
enum Tile {
    T128X128(128, 128, 256), T128X64(128, 64, 128), T64X64(64, 64, 128), T64X32(64, 32, 128);

    /// Blocks that a multiprocessor should get before k is split no further.
    private static final int BLOCKS_PER_MULTIPROCESSOR = 2;
    /// Least elements of k that a split is worth.
    private static final int SPLIT_K = 128;

    private final int rows;
    private final int columns;
    private final int threads;

    Tile(int rows, int columns, int threads) {
        this.rows = rows;
        this.columns = columns;
        this.threads = threads;
    }

    int rows() {
        return rows;
    }

    int columns() {
        return columns;
    }

    int threads() {
        return threads;
    }

    /// The ending of its kernels.
    String suffix() {
        return "Tile" + rows + "x" + columns;
    }

    long blocks(long m, long n) {
        return Math.ceilDiv(m, rows) * Math.ceilDiv(n, columns);
    }

    /// @param batch matrices of m × n results
    /// @param speeds of the device
    static Tile choose(long m, long n, long batch, int multiprocessors, TileSpeeds speeds, Tile... among) {
        Tile best = among[0];
        for (Tile t : among) {
            best = t.time(m, n, batch, multiprocessors, speeds) < best.time(m, n, batch, multiprocessors, speeds) ? t : best;
        }
        return best;
    }

    private double time(long m, long n, long batch, int multiprocessors, TileSpeeds speeds) {
        return Math.ceilDiv(blocks(m, n) * batch, (long) multiprocessors) * rows * columns / speeds.of(this);
    }

    /// Into how many parts k is split so that few tiles keep the device busy; 1 where there are many, or the workspace is too small.
    ///
    /// @param workspace bytes for float32 sums of every part
    int splits(long m, long n, long k, long batch, int multiprocessors, long workspace) {
        long wanted = multiprocessors * (long) BLOCKS_PER_MULTIPROCESSOR / Math.max(1, blocks(m, n) * batch);
        long room = workspace / Math.max(1, m * n * batch * Float.BYTES);
        return (int) Math.max(1, Math.min(Math.min(wanted, room), k / SPLIT_K));
    }

    LaunchGrid grid(long m, long n, long batch, int splits) {
        return LaunchGrid.of(Math.toIntExact(Math.ceilDiv(m, rows)), Math.toIntExact(Math.ceilDiv(n, columns)), Math.toIntExact(batch * splits), threads);
    }
}
