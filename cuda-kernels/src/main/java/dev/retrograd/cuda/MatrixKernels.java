package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `matmul.cu`: what {@link dev.retrograd.core.MatrixKernels} asks for, in float32 with weights of 16 bits where one operand has them.
final class MatrixKernels {
    /// Rows and columns of the result that a block computes.
    static final int TILE = 64;
    private static final DType[] F32 = {DType.F32};
    private static final DType[] WEIGHTS = {DType.F32, DType.F16, DType.BF16};

    private final Launcher launcher;

    MatrixKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmul", a, transposeA, b, transposeB, y, 0, false, 1);
    }

    void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmulAcc", a, transposeA, b, transposeB, y, 0, true, 1);
    }

    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        Launcher.sameType("linear", F32, bias, y);
        if (bias.elements() != y.shape().channels()) {
            throw new ShapeException("linear: a bias per channel of y is required, got " + bias + " for " + y);
        }
        product("linear", rows(x), false, w, true, rows(y), address(bias), false, 1);
    }

    void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        product("loraAcc", rows(x), false, a, true, rows(xa), 0, false, (float) scale);
        product("loraAcc", rows(xa), false, b, true, rows(y), 0, true, 1);
    }

    private static Tensor rows(Tensor t) {
        return dev.retrograd.core.MatrixKernels.rows(t);
    }

    /// `y (+)= scale·op(a)·op(b) + bias`.
    private void product(String where, Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y, long bias, boolean accumulate, float scale) {
        Launcher.sameType(where, F32, y);
        Launcher.sameType(where, WEIGHTS, a);
        Launcher.sameType(where, WEIGHTS, b);
        if (a.dtype() != DType.F32 && b.dtype() != DType.F32) {
            throw new DTypeException(where + ": one operand must be F32, got " + a + " and " + b);
        }
        int m = y.dim(-2);
        int n = y.dim(-1);
        int k = a.dim(transposeA ? -2 : -1);
        int batch = Math.toIntExact(y.shape().span(0, y.shape().rank() - 2));
        requireOperand(where, a, transposeA, m, k, batch);
        requireOperand(where, b, transposeB, k, n, batch);
        boolean tall = b.shape().rank() == 2 && !transposeA && a.shape().rank() > 2;
        if (tall) {
            // A shared right operand makes the batch one tall product.
            m *= batch;
            batch = 1;
        }
        if (y.elements() == 0) {
            return;
        }
        launcher.arguments().i64(address(a)).i64s(layout(a, transposeA)).i64(address(b)).i64s(layout(b, transposeB))
                .i64s(address(y), bias, accumulate ? 1 : 0).i32(m).i32(n).i32(k).f32(scale);
        launcher.launch("matmul", "matmul_" + suffix(a.dtype()) + "_" + suffix(b.dtype()),
                LaunchGrid.of(Math.ceilDiv(m, TILE), Math.ceilDiv(n, TILE), batch, Launcher.THREADS));
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
