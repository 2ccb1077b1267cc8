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

        /// Where such a block begins in memory, if it lies there as float32, line after line [#lineBytes] apart; otherwise 0.
        long inPlace(int batch, int line, int count, int k, int depth);

        /// From one line to the next, in bytes, where lines lie in memory.
        long lineBytes();

        /// The most depth that a block can have and lie in memory, where that is not everything; otherwise 0.
        default int run() {
            return 0;
        }
    }

    /// An operand in which neighbouring lines are contiguous.
    non-sealed interface Steps extends Source {

        /// Reads `count` lines at each of `depth` steps to native memory, `width` floats per step, `width ≥ count`.
        void read(int batch, int k, int depth, int line, int count, long out, int width);

        /// Where the lines of a step lie in memory, if they do as float32; otherwise 0.
        long inPlace(int batch, int k, int line);

        /// From one step to the next, in bytes, as long as [#run] lasts.
        long stepBytes();

        /// Steps from `k` on that lie at one distance from each other.
        int run(int k);

        /// As [#read], to panels of `width` lines each, the first at `out` and `panelBytes` apart. Step by step: a step's lines are
        /// neighbours in memory, its successor may be far away.
        default void readPanels(int batch, int k, int depth, int line, int count, long out, int width, long panelBytes) {
            for (int i = 0; i < count; i += width) {
                read(batch, k, depth, line + i, Math.min(width, count - i), out + i / width * panelBytes, width);
            }
        }
    }

    /// Dense [Lines]: element (line, k) at `address + bytes·(batch·batchStride + line·stride + k)`.
    record DenseLines(DType type, long address, long stride, long batchStride) implements Lines {
        @Override public void read(int batch, int line, int count, int k, int depth, float[] out) {
            long from = at(batch, line, k);
            for (int i = 0; i < count; i++) {
                Widening.read(type, from + i * stride * type.bytes(), out, i * MicroKernel.KC, depth);
            }
        }

        @Override public long inPlace(int batch, int line, int count, int k, int depth) {
            return type == DType.F32 ? at(batch, line, k) : 0;
        }

        @Override public long lineBytes() {
            return stride * type.bytes();
        }

        private long at(int batch, int line, int k) {
            return address + (batch * batchStride + line * stride + k) * type.bytes();
        }
    }

    /// Dense [Steps]: element (line, k) at `address + bytes·(batch·batchStride + k·stride + line)`.
    record DenseSteps(DType type, long address, long stride, long batchStride) implements Steps {
        @Override public void read(int batch, int k, int depth, int line, int count, long out, int width) {
            long from = at(batch, k, line);
            for (int p = 0; p < depth; p++) {
                Widening.read(type, from + p * stride * type.bytes(), out + p * 4L * width, count);
            }
        }

        @Override public long inPlace(int batch, int k, int line) {
            return type == DType.F32 ? at(batch, k, line) : 0;
        }

        @Override public long stepBytes() {
            return stride * type.bytes();
        }

        @Override public int run(int k) {
            return Integer.MAX_VALUE;
        }

        private long at(int batch, int k, int line) {
            return address + (batch * batchStride + k * stride + line) * type.bytes();
        }

        @Override public void readPanels(int batch, int k, int depth, int line, int count, long out, int width, long panelBytes) {
            long from = at(batch, k, line);
            for (int p = 0; p < depth; p++) {
                Widening.readPanels(type, from + p * stride * type.bytes(), out + p * 4L * width, count, width, panelBytes);
            }
        }
    }
}
