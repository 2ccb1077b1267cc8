package dev.retrograd.core.cpu;

import dev.retrograd.core.MatrixKernels;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Matrix products of tensors; see {@link MatrixKernels}.
final class CpuMatrix {
    private final Gemm gemm;

    CpuMatrix(Gemm gemm) {
        this.gemm = gemm;
    }

    void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmul", a, transposeA, b, transposeB, y, Epilogue.OVERWRITE);
    }

    void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        product("matmulAcc", a, transposeA, b, transposeB, y, Epilogue.ACCUMULATE);
    }

    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        Widening.require("linear", bias, false);
        product("linear", MatrixKernels.rows(x), false, w, true, MatrixKernels.rows(y),
                Epilogue.OVERWRITE.withBias(CpuMemory.data(bias), 0));
    }

    void loraAcc(Tensor x, Tensor a, Tensor b, double scale, Tensor xa, Tensor y) {
        product("loraAcc", MatrixKernels.rows(x), false, a, true, MatrixKernels.rows(xa),
                Epilogue.OVERWRITE.scaled((float) scale));
        product("loraAcc", MatrixKernels.rows(xa), false, b, true, MatrixKernels.rows(y), Epilogue.ACCUMULATE);
    }

    private void product(String where, Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y, Epilogue epilogue) {
        int batch = batch(y);
        if (b.shape().rank() == 2 && !transposeA) {
            // A shared right operand makes the batch one tall product.
            batch = 1;
            a = MatrixKernels.rows(a);
            y = MatrixKernels.rows(y);
        }
        Widening.require(where, y, false);
        CpuMemory.result(y);
        gemm.multiply(batch, matrix(where, a, transposeA, batch), matrix(where, b, transposeB, batch), matrix(where, y, false, batch),
                epilogue);
    }

    private static int batch(Tensor t) {
        return Math.toIntExact(t.shape().span(0, t.shape().rank() - 2));
    }

    private static Matrix matrix(String where, Tensor t, boolean transpose, int batch) {
        Widening.require(where, t, true);
        boolean shared = t.shape().rank() == 2;
        if (!shared && batch(t) != batch) {
            throw new ShapeException(where + ": operands must have a batch of " + batch + ", got " + t);
        }
        Matrix m = Matrix.of(CpuMemory.data(t), 0, t.dim(-2), t.dim(-1)).as(t.dtype())
                .batchStride(shared ? 0 : (long) t.dim(-2) * t.dim(-1));
        return transpose ? m.transpose() : m;
    }
}
