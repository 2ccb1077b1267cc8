package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.cuda.GemmLibrary.Gemm;
import java.util.Optional;

/// Launches `matmul_*.cu` and `lora_*.cu` on tensor cores, `matmul.cu` in float32: what {@link dev.retrograd.core.MatrixKernels} asks for.
final class MatrixKernels {
    /// Rows and columns of the result that a block of the float32 kernels computes.
    static final int TILE = 64;
    private static final DType[] F32 = {DType.F32};
    private static final Tile[] TILES = Tile.values();
    /// Layouts that the models do not ask for have one tile.
    private static final Tile[] ONE_TILE = {Tile.T64X64};
    private static final Tile[] LORA_TILES = {Tile.T128X128, Tile.T64X64};
    private static final int[] LORA_RANKS = {16, 64};
    private static final int GATED_TURN = 8;

    private final Launcher launcher;
    private final TensorCores cores;
    private final Optional<VendorProducts> vendor;
    private final Optional<HopperProducts> hopper;

    /// @param vendor what may do products without an epilogue
    /// @param hopper what does products of 16-bit operands where it can
    MatrixKernels(Launcher launcher, TensorCores cores, Optional<VendorProducts> vendor, Optional<HopperProducts> hopper) {
        this.launcher = launcher;
        this.cores = cores;
        this.vendor = vendor;
        this.hopper = hopper;
    }

    void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmul", a, transposeA, b, transposeB, y, 0, false, 1);
    }

    void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmulAcc", a, transposeA, b, transposeB, y, 0, true, 1);
    }

    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        product("linear", rows(x), false, w, true, rows(y), bias("linear", bias, y), false, 1);
    }

    void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        product("loraAcc", rows(x), false, a, true, rows(xa), 0, false, scale);
        product("loraAcc", rows(xa), false, b, true, rows(y), 0, true, 1);
    }

    private static Tensor rows(Tensor t) {
        return dev.retrograd.core.MatrixKernels.rows(t);
    }

    private static long bias(String where, Tensor bias, Tensor y) {
        Launcher.sameType(where, F32, bias);
        if (bias.elements() != y.shape().channels()) {
            throw new ShapeException(where + ": a bias per channel of y is required, got " + bias + " for " + y);
        }
        return address(bias);
    }

    /// `y (+)= scale·op(a)·op(b) + bias`.
    private void product(String where, Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y, long bias, boolean accumulate, double scale) {
        Optional<DType> type = cores.type(where, y, a, b);
        int m = y.dim(-2);
        int n = y.dim(-1);
        int k = a.dim(transposeA ? -2 : -1);
        int batch = Math.toIntExact(y.shape().span(0, y.shape().rank() - 2));
        requireOperand(where, a, transposeA, m, k, batch);
        requireOperand(where, b, transposeB, k, n, batch);
        if (b.shape().rank() == 2 && !transposeA && a.shape().rank() > 2) {
            // A shared right operand makes the batch one tall product.
            product(where, rows(a), false, b, transposeB, rows(y), bias, accumulate, scale);
        } else if (y.elements() > 0) {
            Runnable ours = () -> {
                if (type.isPresent()) {
                    tensorProduct(type.get(), a, transposeA, b, transposeB, TensorCores.Finish.of(y, n, bias, accumulate, scale), m, n, k, batch);
                } else {
                    launcher.arguments().i64(address(a)).i64s(layout(a, transposeA)).i64(address(b)).i64s(layout(b, transposeB))
                            .i64s(address(y), bias, accumulate ? 1 : 0).i32(m).i32(n).i32(k).f32((float) scale);
                    launcher.launch("matmul", "matmul_" + suffix(a.dtype()) + "_" + suffix(b.dtype()),
                            LaunchGrid.of(Math.ceilDiv(m, TILE), Math.ceilDiv(n, TILE), batch, Launcher.THREADS));
                }
            };
            if (vendor.isEmpty() || bias != 0) {
                ours.run();
            } else if (vendor.get().product(new Gemm(m, n, k, batch, (float) scale, matrix(a, transposeA), matrix(b, transposeB), matrix(y, false), accumulate), ours)) {
                launcher.launchedElsewhere();
            }
        }
    }

    private static GemmLibrary.Matrix matrix(Tensor t, boolean transposed) {
        return new GemmLibrary.Matrix(address(t), t.dtype(), transposed, t.dim(-1), t.shape().rank() == 2 ? 0 : t.dim(-2) * (long) t.dim(-1));
    }

    private void tensorProduct(DType type, Tensor a, boolean transposeA, Tensor b, boolean transposeB, TensorCores.Finish finish, int m, int n, int k, int batch) {
        if (hopper.isPresent() && HopperProducts.takes(type, a, b)) {
            hopper.get().launch(type, a, transposeA, b, transposeB, finish, m, n, k, batch);
            return;
        }
        String name = TensorCores.name(type);
        String layout = (transposeA ? "m" : "k") + (transposeB ? "k" : "n");
        Tile tile = cores.tile(m, n, batch, layout.equals("mk") ? ONE_TILE : TILES);
        // Activations follow the whole sum.
        int splits = finish.activation() == 0 ? tile.splits(m, n, k, batch, cores.multiprocessors(), cores.workspaceBytes()) : 1;
        long[] right = TensorCores.plain(type, b);
        if (finish.hidden().isPresent()) {
            right[right.length - 1] = finish.columns();
        }
        launcher.arguments().i64s(TensorCores.plain(type, a)).i64s(right).i64s(cores.struct(finish)).i32s(m, n, k, splits);
        cores.launch("matmul_" + name, "matmul_" + name + "_" + layout, tile, finish, m, n, batch, splits);
    }

    /// Whether a linear layer of these has epilogues: {@link #linearActivated}, {@link #linearResidual}, {@link #linearGeglu}.
    boolean fusesLinear(Tensor x, Tensor w, Tensor y) {
        return y.elements() > 0 && cores.type("linear", y, x, w).isPresent();
    }

    /// As the method of core, by SiLU or GELU.
    void linearActivated(Tensor x, Tensor w, Tensor bias, Unary f, Tensor y) {
        finished(x, w, y, TensorCores.Finish.of(y, y.shape().channels(), bias("linearActivated", bias, y), false, 1)
                .activated(f.kind() == Unary.Kind.SILU ? TensorCores.SILU : TensorCores.GELU));
    }

    /// As the method of core.
    void linearResidual(Tensor x, Tensor w, Tensor bias, Tensor residual, Tensor y) {
        Launcher.sameType("linearResidual", new DType[] {y.dtype()}, residual);
        Launcher.sameElements("linearResidual", residual, y);
        finished(x, w, y, TensorCores.Finish.of(y, y.shape().channels(), bias("linearResidual", bias, y), false, 1).plus(residual));
    }

    /// As the method of core.
    void linearGeglu(Tensor x, Tensor w, Tensor bias, Tensor hidden, Tensor y) {
        Launcher.sameType("linearGeglu", new DType[] {y.dtype()}, hidden);
        requireOperand("linearGeglu", rows(hidden), false, rows(y).dim(0), 2 * y.dim(-1), 1);
        finished(x, w, hidden, TensorCores.Finish.of(y, y.shape().channels(), bias("linearGeglu", bias, hidden), false, 1).gated(hidden));
    }

    /// @param product the tensor that has as many rows and columns as the product
    private void finished(Tensor x, Tensor w, Tensor product, TensorCores.Finish finish) {
        Tensor rows = rows(x);
        int m = rows.dim(0);
        int k = rows.dim(1);
        requireOperand("linear", w, true, k, product.dim(-1), 1);
        requireOperand("linear", rows(product), false, m, product.dim(-1), 1);
        // The columns of a gated product come in turns of 8, the last of which may not be full.
        int n = finish.hidden().isPresent() ? Math.ceilDiv(finish.y().dim(-1), GATED_TURN) * 2 * GATED_TURN : product.dim(-1);
        tensorProduct(cores.type("linear", finish.y(), x, w).orElseThrow(), rows, false, w, true, finish, m, n, k, 1);
    }

    /// Whether {@link #loraLinear} and {@link #loraLinearBackwardInput} have a kernel for these operands.
    boolean fusesLora(Tensor x, Tensor w, Tensor a, Tensor b, Tensor y) {
        return a.dim(0) <= LORA_RANKS[LORA_RANKS.length - 1] && y.elements() > 0 && cores.type("loraLinear", y, x, w, a, b).isPresent();
    }

    /// In one launch; as the method of core.
    ///
    /// @param bias address, or 0
    void loraLinear(Tensor x, Tensor w, long bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        lora("fwd", rows(x), w, a, b, a.dim(0), bias, scale, rows(xa), rows(y));
    }

    void loraLinear(Tensor x, Tensor w, Tensor bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        loraLinear(x, w, bias("loraLinear", bias, y), a, b, scale, xa, y);
    }

    /// In one launch; as the method of core.
    void loraLinearBackwardInput(Tensor dy, Tensor w, Tensor a, Tensor b, double scale, Tensor dxa, Tensor dx) {
        lora("bwd_input", rows(dy), w, b, a, a.dim(0), 0, scale, rows(dxa), rows(dx));
    }

    private void lora(String direction, Tensor x, Tensor w, Tensor down, Tensor up, int rank, long bias, double scale, Tensor low, Tensor y) {
        DType type = cores.type("loraLinear", y, x, w, down, up).orElseThrow();
        boolean forward = direction.equals("fwd");
        int m = y.dim(0);
        int n = y.dim(1);
        int k = x.dim(1);
        requireOperand("loraLinear", w, forward, k, n, 1);
        requireOperand("loraLinear", down, forward, k, rank, 1);
        requireOperand("loraLinear", up, forward, rank, n, 1);
        requireOperand("loraLinear", low, false, m, rank, 1);
        requireOperand("loraLinear", x, false, m, k, 1);
        Launcher.sameType("loraLinear", new DType[] {type}, low);
        String name = TensorCores.name(type);
        int ranks = rank <= LORA_RANKS[0] ? LORA_RANKS[0] : LORA_RANKS[1];
        Tile tile = cores.tile(m, n, 1, LORA_TILES);
        launcher.arguments().i64s(TensorCores.plain(type, x)).i64s(TensorCores.plain(type, w)).i64s(TensorCores.plain(type, down)).i64s(TensorCores.plain(type, up))
                .i64s(cores.struct(TensorCores.Finish.of(y, n, bias, false, 1))).i64(address(low)).i32(rank).f64(scale).i32s(m, n, k, 1);
        launcher.launch("lora_" + name, "lora_" + name + "_" + direction + "_" + tile.suffix() + "_" + ranks, tile.grid(m, n, 1, 1));
    }

    private static void requireOperand(String where, Tensor t, boolean transposed, int rows, int columns, int batch) {
        boolean fits = t.dim(transposed ? -1 : -2) == rows && t.dim(transposed ? -2 : -1) == columns;
        if (!fits || t.shape().rank() != 2 && t.shape().span(0, t.shape().rank() - 2) != batch) {
            throw new ShapeException(where + ": an operand of " + batch + " × [" + rows + "," + columns + "]" + (transposed ? ", transposed," : "") + " is required, got " + t);
        }
    }

    /// The struct of strides: between matrices (0 for one that all share), rows and columns of op(t).
    private static long[] layout(Tensor t, boolean transposed) {
        long columns = t.dim(-1);
        long matrix = t.shape().rank() == 2 ? 0 : t.dim(-2) * columns;
        return transposed ? new long[] {matrix, 1, columns} : new long[] {matrix, columns, 1};
    }
}
