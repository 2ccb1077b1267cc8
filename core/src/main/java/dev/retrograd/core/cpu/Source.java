package dev.retrograd.core.cpu;

import dev.retrograd.core.DType;

/// A matrix operand, read block by block as float32; dense memory, or an image seen as its patches.
///
/// Blocks are at most [MicroKernel#KC] deep. "Depth" is the dimension that the product sums over; the other one is a row of
/// the left operand or a column of the right one, here called a line.
sealed interface Source {

    /// An operand whose lines are contiguous in depth.
    non-sealed interface Lines extends Source {

        /// Reads `depth` elements of each of `count` lines to `out[i * KC + p]`.
        void read(int batch, int line, int count, int k, int depth, float[] out);
    }

    /// An operand in which neighbouring lines are contiguous.
    non-sealed interface Steps extends Source {

        /// Reads `count` lines at each of `depth` steps to native memory, `width` floats per step, `width ≥ count`.
        void read(int batch, int k, int depth, int line, int count, long out, int width);
    }

    /// Dense [Lines]: element (line, k) at `address + bytes·(batch·batchStride + line·stride + k)`.
    record DenseLines(DType type, long address, long stride, long batchStride) implements Lines {
        @Override public void read(int batch, int line, int count, int k, int depth, float[] out) {
            long from = address + (batch * batchStride + line * stride + k) * type.bytes();
            for (int i = 0; i < count; i++) {
                Widening.read(type, from + i * stride * type.bytes(), out, i * MicroKernel.KC, depth);
            }
        }
    }

    /// Dense [Steps]: element (line, k) at `address + bytes·(batch·batchStride + k·stride + line)`.
    record DenseSteps(DType type, long address, long stride, long batchStride) implements Steps {
        @Override public void read(int batch, int k, int depth, int line, int count, long out, int width) {
            long from = address + (batch * batchStride + k * stride + line) * type.bytes();
            for (int p = 0; p < depth; p++) {
                Widening.read(type, from + p * stride * type.bytes(), out + p * 4L * width, count);
            }
        }
    }
}
