package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.cuda.Contest.Candidate;
import dev.retrograd.cuda.GemmLibrary.Gemm;
import java.util.ArrayList;
import java.util.List;
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
    private final Optional<HopperProducts> hopper;
    private final Optional<GemmLibrary> library;
    private final Optional<Contest> contest;

    /// @param hopper what does products of 16-bit operands where it can
    /// @param library what does products of operands of one type
    /// @param contest says which of these, or the kernels for every device, does a product; empty where the later one does all that it can
    MatrixKernels(Launcher launcher, TensorCores cores, Optional<HopperProducts> hopper, Optional<GemmLibrary> library, Optional<Contest> contest) {
        this.launcher = launcher;
        this.cores = cores;
        this.hopper = hopper;
        this.library = library;
        this.contest = contest;
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
            multiply(new Multiplied(type, a, transposeA, b, transposeB, m, n, k, batch), TensorCores.Finish.of(y, n, bias, accumulate, scale));
        }
    }

    /// Two operands, batched.
    ///
    /// @param type that they are multiplied in; empty for float32 on fused multiply-adds
    private record Multiplied(Optional<DType> type, Tensor a, boolean transposeA, Tensor b, boolean transposeB, int m, int n, int k, int batch) {

        /// @param into has as many rows and columns as the product
        private Gemm into(Tensor into, TensorCores.Finish finish) {
            return new Gemm(m, n, k, batch, (float) finish.scale(), matrix(a, transposeA), matrix(b, transposeB), matrix(into, false), finish.accumulate() || finish.inPlace());
        }
    }

    /// All that the time of a product with what follows it depends on.
    private record ProductShape(Gemm gemm, boolean bias, int activation, boolean residual, boolean aligned) {
        private static final List<String> ACTIVATIONS = List.of("", " silu", " gelu", " geglu");

        @Override public String toString() {
            return gemm.shape() + (bias ? " bias" : "") + ACTIVATIONS.get(activation) + (residual ? " residual" : "") + (aligned ? "" : " unaligned");
        }
    }

    private void multiply(Multiplied p, TensorCores.Finish finish) {
        Tensor into = finish.hidden().orElse(finish.y());
        List<Candidate> candidates = new ArrayList<>();
        candidates.add(new Candidate("ptx", () -> onEveryDevice(p, finish)));
        if (hopper.isPresent() && p.type.isPresent() && HopperProducts.takes(p.type.get(), p.a, p.b)) {
            candidates.add(new Candidate("hopper", () -> hopper.get().launch(p.type.get(), p.a, p.transposeA, p.b, p.transposeB, finish, p.m, p.n, p.k, p.batch)));
        }
        if (library.isPresent() && takes(p, finish)) {
            candidates.add(new Candidate("cublas", () -> byLibrary(library.get(), p, finish)));
        }
        if (contest.isPresent()) {
            boolean aligned = (address(p.a) | address(p.b) | address(into)) % HopperProducts.ALIGNMENT == 0;
            ProductShape shape = new ProductShape(p.into(into, finish).anywhere(), finish.bias() != 0, finish.activation(), finish.residual().isPresent(), aligned);
            List<Tensor> results = finish.gated() ? List.of(finish.y(), into) : List.of(finish.y());
            contest.get().run(new Contest.Work(shape, results, finish.accumulate() || finish.inPlace(), p.type), candidates);
        } else {
            candidates.getLast().work().run();
        }
    }

    /// All that the time of a layer with a low-rank update depends on.
    private record LoraShape(String direction, DType type, DType result, int m, int n, int k, int rank, boolean bias, boolean aligned) {
        @Override public String toString() {
            return "lora " + direction + " " + type + " " + result + " " + m + "x" + n + "x" + k + " rank " + rank + (bias ? " bias" : "") + (aligned ? "" : " unaligned");
        }
    }

    private void onEveryDevice(Multiplied p, TensorCores.Finish finish) {
        if (p.type.isPresent()) {
            tensorProduct(p, finish);
        } else {
            launcher.arguments().i64(address(p.a)).i64s(layout(p.a, p.transposeA)).i64(address(p.b)).i64s(layout(p.b, p.transposeB))
                    .i64s(address(finish.y()), finish.bias(), finish.accumulate() ? 1 : 0).i32(p.m).i32(p.n).i32(p.k).f32((float) finish.scale());
            launcher.launch("matmul", "matmul_" + suffix(p.a.dtype()) + "_" + suffix(p.b.dtype()),
                    LaunchGrid.of(Math.ceilDiv(p.m, TILE), Math.ceilDiv(p.n, TILE), p.batch, Launcher.THREADS));
        }
    }

    /// Whether the library can do the product, and our epilogue what follows it: of a gated product they would be three passes.
    private static boolean takes(Multiplied p, TensorCores.Finish finish) {
        DType result = finish.y().dtype();
        return p.a.dtype() == p.b.dtype() && Cublas.takes(p.a.dtype()) && (result == p.a.dtype() || result == DType.F32) && p.k > 0 && !finish.gated()
                && (finish.activation() == 0 || finish.residual().isEmpty() && !finish.accumulate());
    }

    private void byLibrary(GemmLibrary with, Multiplied p, TensorCores.Finish finish) {
        with.gemm(p.into(finish.y(), finish));
        launcher.launchedElsewhere();
        if (finish.follows()) {
            cores.finish(finish.after(), (long) p.m * p.batch);
        }
    }

    private static GemmLibrary.Matrix matrix(Tensor t, boolean transposed) {
        return new GemmLibrary.Matrix(address(t), t.dtype(), transposed, t.dim(-1), t.shape().rank() == 2 ? 0 : t.dim(-2) * (long) t.dim(-1));
    }

    private void tensorProduct(Multiplied p, TensorCores.Finish finish) {
        DType type = p.type.orElseThrow();
        String name = TensorCores.name(type);
        String layout = (p.transposeA ? "m" : "k") + (p.transposeB ? "k" : "n");
        Tile tile = cores.tile(p.m, p.n, p.batch, layout.equals("mk") ? ONE_TILE : TILES);
        // Activations follow the whole sum.
        int splits = finish.activation() == 0 ? tile.splits(p.m, p.n, p.k, p.batch, cores.multiprocessors(), cores.workspaceBytes()) : 1;
        long[] right = TensorCores.plain(type, p.b);
        if (finish.gated()) {
            right[right.length - 1] = finish.columns();
        }
        launcher.arguments().i64s(TensorCores.plain(type, p.a)).i64s(right).i64s(cores.struct(finish)).i32s(p.m, p.n, p.k, splits);
        cores.launch("matmul_" + name, "matmul_" + name + "_" + layout, tile, finish, p.m, p.n, p.batch, splits);
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
        int n = finish.gated() ? Math.ceilDiv(finish.y().dim(-1), GATED_TURN) * 2 * GATED_TURN : product.dim(-1);
        multiply(new Multiplied(cores.type("linear", finish.y(), x, w), rows, false, w, true, m, n, k, 1), finish);
    }

    /// Whether {@link #loraLinear} and {@link #loraLinearBackwardInput} have a kernel for these operands.
    boolean fusesLora(Tensor x, Tensor w, Tensor a, Tensor b, Tensor y) {
        return a.dim(0) <= LORA_RANKS[LORA_RANKS.length - 1] && y.elements() > 0 && cores.type("loraLinear", y, x, w, a, b).isPresent();
    }

    /// In one launch, or with the product by the weight on warpgroups; as the method of core.
    ///
    /// @param bias address, or 0
    void loraLinear(Tensor x, Tensor w, long bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        lora("fwd", rows(x), w, a, b, a.dim(0), bias, scale, rows(xa), rows(y));
    }

    void loraLinear(Tensor x, Tensor w, Tensor bias, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        loraLinear(x, w, bias("loraLinear", bias, y), a, b, scale, xa, y);
    }

    /// As {@link #loraLinear}, the method of core.
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
        TensorCores.Finish finish = TensorCores.Finish.of(y, n, bias, false, 1);
        List<Candidate> candidates = new ArrayList<>();
        candidates.add(new Candidate("ptx", () -> {
            String name = TensorCores.name(type);
            int ranks = rank <= LORA_RANKS[0] ? LORA_RANKS[0] : LORA_RANKS[1];
            Tile tile = cores.tile(m, n, 1, LORA_TILES);
            launcher.arguments().i64s(TensorCores.plain(type, x)).i64s(TensorCores.plain(type, w)).i64s(TensorCores.plain(type, down)).i64s(TensorCores.plain(type, up))
                    .i64s(cores.struct(finish)).i64(address(low)).i32(rank).f64(scale).i32s(m, n, k, 1);
            launcher.launch("lora_" + name, "lora_" + name + "_" + direction + "_" + tile.suffix() + "_" + ranks, tile.grid(m, n, 1, 1));
        }));
        if (hopper.isPresent() && HopperProducts.takes(type, x, w)) {
            candidates.add(new Candidate("hopper", () -> {
                // The low-rank part first: what is rounded between launches is small, and nothing while up is zero.
                tensorProduct(new Multiplied(Optional.of(type), x, false, down, forward, m, rank, k, 1), TensorCores.Finish.of(low, rank, 0, false, scale));
                tensorProduct(new Multiplied(Optional.of(type), low, false, up, forward, m, n, rank, 1), TensorCores.Finish.of(y, n, 0, false, 1));
                hopper.get().launch(type, x, false, w, forward, TensorCores.Finish.of(y, n, bias, true, 1), m, n, k, 1);
            }));
        }
        if (contest.isPresent()) {
            boolean aligned = (address(x) | address(w) | address(y)) % HopperProducts.ALIGNMENT == 0;
            contest.get().run(new Contest.Work(new LoraShape(direction, type, y.dtype(), m, n, k, rank, bias != 0, aligned), List.of(y), false, Optional.of(type)), candidates);
        } else {
            candidates.getLast().work().run();
        }
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
