package dev.retrograd.cuda;

import dev.retrograd.core.DType;

/// What a block of the kernels for compute capability 9.0 computes (`ring.cuh`), 128 rows and so many columns of a product, and the ring of stages that it goes
/// through; and the rule that picks one: that whose launch takes the device the shortest, of equals the narrow one.
enum Ring {
    N128(128, 6, 0.85), N256(256, 4, 1.0);

    /// What the kernels are for: their PTX is neither for older devices nor for newer ones.
    static final int COMPUTE_CAPABILITY = 90;
    static final int ROWS = 128;
    /// Of k in a stage.
    static final int STAGE_K = 64;
    /// Rows of an operand that a box has at once where k does not run fastest.
    static final int PIECE = 64;
    /// Blocks that a multiprocessor runs at once: the ring of one takes its shared memory.
    static final int BLOCKS_PER_MULTIPROCESSOR = 1;
    private static final int THREADS = 384;
    /// Least stages that a split is worth.
    private static final int SPLIT_STAGES = 8;
    private static final int FILLER = 1024;

    private final int columns;
    private final int stages;
    private final double speed;

    /// @param speed share of a multiprocessor's speed that it is expected to reach: operands are read once per row and column
    Ring(int columns, int stages, double speed) {
        this.columns = columns;
        this.stages = stages;
        this.speed = speed;
    }

    /// For a batch of products, each `tiles` times 128 rows by n columns.
    static Ring fastest(long tiles, long n, long batch, int multiprocessors) {
        return N128.time(tiles, n, batch, multiprocessors) <= N256.time(tiles, n, batch, multiprocessors) ? N128 : N256;
    }

    /// Of a launch, by the rounds of the device that it takes.
    private double time(long tiles, long n, long batch, int multiprocessors) {
        return Math.ceilDiv(blocks(tiles, n) * batch, (long) multiprocessors * BLOCKS_PER_MULTIPROCESSOR) * columns / speed;
    }

    private long blocks(long tiles, long n) {
        return tiles * Math.ceilDiv(n, columns);
    }

    int columns() {
        return columns;
    }

    /// The ending of its kernels.
    String suffix() {
        return "Ring" + ROWS + "x" + columns;
    }

    /// Into how many parts, none without a stage, sums of `depth` stages are split so that few blocks keep the device busy.
    ///
    /// @param results of a product, those of every part to fit into the workspace
    int splits(TensorCores cores, long tiles, long n, long results, long depth, long batch) {
        long wanted = cores.multiprocessors() / Math.max(1, blocks(tiles, n) * batch);
        long room = cores.workspaceBytes() / (results * batch * Float.BYTES);
        long most = Math.max(1, Math.min(Math.min(wanted, room), depth / SPLIT_STAGES));
        return (int) Math.ceilDiv(depth, Math.ceilDiv(depth, most));
    }

    LaunchGrid grid(long tiles, long n, long batch, int splits) {
        return LaunchGrid.of(Math.toIntExact(tiles), Math.toIntExact(Math.ceilDiv(n, columns)), Math.toIntExact(batch * splits), THREADS);
    }

    /// Dynamic shared memory of a block.
    int sharedBytes() {
        return stages * (ROWS + columns) * STAGE_K * DType.BF16.bytes() + FILLER;
    }
}
