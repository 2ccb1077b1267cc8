package dev.retrograd.cuda;

import dev.retrograd.core.DType;

/// A library of another maker that multiplies matrices on the device, beside our own kernels.
interface GemmLibrary extends AutoCloseable {

    /// A matrix, or a batch of them, row after row.
    ///
    /// @param transposed whether its transpose is an operand
    /// @param columns from one row in memory to the next
    /// @param stride elements between matrices of the batch; 0 where all share one
    record Matrix(long address, DType type, boolean transposed, long columns, long stride) {
    }

    /// `c = alpha·op(a)·op(b)`, or `c += …`.
    ///
    /// @param m rows of c
    /// @param n columns of c
    /// @param k length of the sums
    record Gemm(int m, int n, int k, int batch, float alpha, Matrix a, Matrix b, Matrix c, boolean accumulate) {

        /// All that its time depends on: the same for products of other matrices.
        Gemm anywhere() {
            return new Gemm(m, n, k, batch, 1, nowhere(a), nowhere(b), nowhere(c), accumulate);
        }

        private static Matrix nowhere(Matrix x) {
            return new Matrix(0, x.type, x.transposed, x.columns, x.stride);
        }

        /// The same as text.
        String shape() {
            return "gemm " + a.type + (b.type == a.type ? "" : "," + b.type) + " " + c.type + " " + (a.transposed ? "t" : "n") + (b.transposed ? "t" : "n") + (accumulate ? " acc " : " ")
                    + m + "x" + n + "x" + k + " batch " + batch + (b.stride == 0 ? " shared" : "");
        }
    }

    /// Does it on the stream that the library was opened with, after all that the stream was given so far.
    ///
    /// @throws CudaException if the library refuses
    void gemm(Gemm g);

    /// Bytes of device memory that it holds.
    long workspaceBytes();

    @Override void close();
}
