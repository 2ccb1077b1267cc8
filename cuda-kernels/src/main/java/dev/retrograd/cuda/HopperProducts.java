package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;

/// Launches `matmul_sm90_*.cu`: matrix products on the warpgroups of compute capability 9.0, whose operands bulk copies bring.
final class HopperProducts {
    /// Of what bulk copies read.
    static final int ALIGNMENT = 16;
    private static final int GATED_TURN = 8;

    private final TensorCores cores;
    private final CudaDriver driver;

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
        boolean gated = finish.gated();
        long tiles = Math.ceilDiv(m, Ring.ROWS);
        Ring ring = layout.equals("mk") ? Ring.N128 : Ring.fastest(tiles, n, batch, cores.multiprocessors());
        int splits = finish.activation() == 0 ? ring.splits(cores, tiles, n, (long) m * n, Math.ceilDiv(k, Ring.STAGE_K), batch) : 1;
        long[] left = driver.encode(map(type, a, !transposeA, Ring.ROWS));
        long[] right = driver.encode(gated ? gatedMap(type, b, finish.columns()) : map(type, b, transposeB, ring.columns()));
        cores.arguments().tensorMap(left).tensorMap(right).i64s(cores.struct(finish)).i32s(m, n, k, splits, step(a), step(b));
        String module = "matmul_sm90_" + TensorCores.name(type);
        cores.launch(module, module + "_" + layout + "_" + ring.suffix(), ring.grid(tiles, n, batch, splits), ring.sharedBytes(), finish, m, n, batch, splits);
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
                new int[] {Ring.PIECE, kFastest ? rows : Ring.STAGE_K, 1}, TensorMap.Swizzle.BYTES_128);
    }

    /// The rows of a gated product's right operand as values and gates, in boxes of 8 of each.
    private static TensorMap gatedMap(DType type, Tensor t, long columns) {
        long line = t.dim(-1) * (long) type.bytes();
        return new TensorMap(type, address(t), new long[] {t.dim(-1), columns, 2}, new long[] {line, line * columns}, new int[] {Ring.STAGE_K, GATED_TURN, 2}, TensorMap.Swizzle.BYTES_128);
    }
}
