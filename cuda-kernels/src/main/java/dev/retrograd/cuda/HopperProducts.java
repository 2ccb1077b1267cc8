package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;

/// Launches `matmul_sm90_*.cu`: matrix products on the warpgroups of compute capability 9.0, whose operands bulk copies bring.
final class HopperProducts {
    /// What the kernels are for: their PTX is neither for older devices nor for newer ones.
    static final int COMPUTE_CAPABILITY = 90;
    private static final int ALIGNMENT = 16;
    private static final int ROWS = 128;
    private static final int STAGE_K = 64;
    /// Rows of an operand that a box has at once, whichever index runs fastest.
    private static final int PIECE = 64;
    private static final int THREADS = 384;
    /// Least elements of k that a split is worth.
    private static final int SPLIT_K = 512;
    private static final int GATED_TURN = 8;

    private final TensorCores cores;
    private final CudaDriver driver;

    /// What a block computes, and its ring of stages.
    ///
    /// @param speed share of a multiprocessor's speed that it is expected to reach: operands are read once per row and column
    private enum Ring {
        N128(128, 6, 0.85), N256(256, 4, 1.0);

        private static final int FILLER = 1024;
        private final int columns;
        private final int stages;
        private final double speed;

        Ring(int columns, int stages, double speed) {
            this.columns = columns;
            this.stages = stages;
            this.speed = speed;
        }

        long blocks(long m, long n) {
            return Math.ceilDiv(m, ROWS) * Math.ceilDiv(n, columns);
        }

        /// Of a launch, by the rounds of the device that it takes, one block on each multiprocessor.
        double time(long m, long n, long batch, int multiprocessors) {
            return Math.ceilDiv(blocks(m, n) * batch, (long) multiprocessors) * columns / speed;
        }

        int sharedBytes() {
            return stages * (ROWS + columns) * STAGE_K * DType.BF16.bytes() + FILLER;
        }
    }

    HopperProducts(TensorCores cores, CudaDriver driver) {
        this.cores = cores;
        this.driver = driver;
    }

    /// Whether there is a kernel for these operands: both of the 16-bit type that is multiplied in, and where bulk copies can read them.
    static boolean takes(DType type, Tensor a, Tensor b) {
        return type != DType.F32 && reads(type, a) && reads(type, b);
    }

    private static boolean reads(DType type, Tensor t) {
        return t.dtype() == type && address(t) % ALIGNMENT == 0 && t.dim(-1) * (long) type.bytes() % ALIGNMENT == 0 && t.elements() > 0;
    }

    /// The product of operands that {@link #takes} says can be taken, with what follows it.
    ///
    /// @param n columns, of a gated product in whole turns of values and gates
    void launch(DType type, Tensor a, boolean transposeA, Tensor b, boolean transposeB, TensorCores.Finish finish, int m, int n, int k, int batch) {
        String layout = (transposeA ? "m" : "k") + (transposeB ? "k" : "n");
        boolean gated = finish.hidden().isPresent();
        Ring ring = ring(layout, m, n, batch);
        int splits = finish.activation() == 0 ? splits(ring, m, n, k, batch) : 1;
        long[] left = driver.encode(map(type, a, !transposeA, ROWS));
        long[] right = driver.encode(gated ? gatedMap(type, b, finish.columns()) : map(type, b, transposeB, ring.columns));
        cores.arguments().tensorMap(left).tensorMap(right).i64s(cores.struct(finish)).i32s(m, n, k, splits, step(a), step(b));
        String module = "matmul_sm90_" + TensorCores.name(type);
        LaunchGrid grid = LaunchGrid.of(Math.ceilDiv(m, ROWS), Math.ceilDiv(n, ring.columns), Math.multiplyExact(batch, splits), THREADS);
        cores.launch(module, module + "_" + layout + "_Ring" + ROWS + "x" + ring.columns, grid, ring.sharedBytes(), finish, m, n, batch, splits);
    }

    private Ring ring(String layout, int m, int n, int batch) {
        boolean narrow = layout.equals("mk") || Ring.N128.time(m, n, batch, cores.multiprocessors()) <= Ring.N256.time(m, n, batch, cores.multiprocessors());
        return narrow ? Ring.N128 : Ring.N256;
    }

    private int splits(Ring ring, long m, long n, long k, long batch) {
        long wanted = cores.multiprocessors() / Math.max(1, ring.blocks(m, n) * batch);
        long room = cores.workspaceBytes() / (m * n * batch * Float.BYTES);
        long stages = Math.ceilDiv(k, STAGE_K);
        long most = Math.max(1, Math.min(Math.min(wanted, room), k / SPLIT_K));
        // no part without a stage
        return (int) Math.ceilDiv(stages, Math.ceilDiv(stages, most));
    }

    private static int step(Tensor t) {
        return t.shape().rank() > 2 ? 1 : 0;
    }

    /// An operand in boxes of 64 of k for `rows` rows, or, where k does not run fastest, of 64 rows for 64 of k.
    private static TensorMap map(DType type, Tensor t, boolean kFastest, int rows) {
        long length = t.dim(-1);
        long lines = t.dim(-2);
        long line = length * type.bytes();
        return new TensorMap(type, address(t), new long[] {length, lines, t.elements() / (length * lines)}, new long[] {line, line * lines},
                new int[] {PIECE, kFastest ? rows : STAGE_K, 1}, TensorMap.Swizzle.BYTES_128);
    }

    /// The rows of a gated product's right operand as values and gates, in boxes of 8 of each.
    private static TensorMap gatedMap(DType type, Tensor t, long columns) {
        long line = t.dim(-1) * (long) type.bytes();
        return new TensorMap(type, address(t), new long[] {t.dim(-1), columns, 2}, new long[] {line, line * columns}, new int[] {STAGE_K, GATED_TURN, 2}, TensorMap.Swizzle.BYTES_128);
    }
}
