package dev.retrograd.core.reference;

import dev.retrograd.core.MatrixKernels;
import dev.retrograd.core.Tensor;

interface ReferenceMatrix extends MatrixKernels {

    @Override default void matmul(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        Values.of(y).fill(0);
        matmulAcc(a, transposeA, b, transposeB, y);
    }

    @Override default void matmulAcc(Tensor a, boolean transposeA, Tensor b, boolean transposeB, Tensor y) {
        int rows = y.dim(-2);
        int columns = y.dim(-1);
        int inner = a.dim(transposeA ? -2 : -1);
        long batch = y.shape().span(0, y.shape().rank() - 2);
        Values left = Values.operand(a, y);
        Values right = Values.operand(b, y);
        Values out = Values.of(y);
        for (long n = 0; n < batch; n++) {
            long atA = n * rows * inner;
            long atB = b.shape().rank() == 2 ? 0 : n * inner * columns;
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    for (int k = 0; k < inner; k++) {
                        out.add((n * rows + i) * columns + j, left.get(atA + (transposeA ? k * rows + i : i * inner + k))
                                * right.get(atB + (transposeB ? j * inner + k : k * columns + j)));
                    }
                }
            }
        }
    }
}
