package dev.retrograd.core.cpu;

import dev.retrograd.core.DType;
import java.lang.foreign.MemorySegment;

/// A matrix, or a batch of equal ones, as it lies in native memory: one of its two strides is 1.
///
/// @param offset bytes from the start of `data` to element (0, 0) of the first matrix
/// @param rowStride elements from one row to the next
/// @param columnStride elements from one column to the next
/// @param batchStride elements from one matrix to the next; 0 shares one matrix among the whole batch
record Matrix(MemorySegment data, long offset, DType type, int rows, int columns, long rowStride,
        long columnStride, long batchStride) {

    /// @throws IllegalArgumentException if the memory is not native, an extent or stride is negative, or no stride is 1
    /// @throws dev.retrograd.core.DTypeException unless the type is `F32`, `F16` or `BF16`
    Matrix {
        Widening.require("matrix", type);
        if (!data.isNative()) {
            throw new IllegalArgumentException("matrix: memory must be native, got a heap segment");
        }
        if (rows < 0 || columns < 0 || offset < 0 || rowStride < 0 || columnStride < 0 || batchStride < 0) {
            throw new IllegalArgumentException(("matrix: extents, offset and strides must be 0 or more, got %d×%d at byte %d, "
                    + "strides %d, %d, batch %d").formatted(rows, columns, offset, rowStride, columnStride, batchStride));
        }
        if (rows > 1 && columns > 1 && rowStride != 1 && columnStride != 1) {
            throw new IllegalArgumentException(
                    "matrix: one stride must be 1, got rows %d and columns %d apart".formatted(rowStride, columnStride));
        }
    }

    /// A dense float32 matrix, row after row.
    static Matrix of(MemorySegment data, long offset, int rows, int columns) {
        return new Matrix(data, offset, DType.F32, rows, columns, columns, 1, 0);
    }

    /// @return the same memory read as another type; strides count elements and stay
    Matrix as(DType type) {
        return new Matrix(data, offset, type, rows, columns, rowStride, columnStride, batchStride);
    }

    /// @return the same memory with rows (of the matrix before any transposition) this many elements apart
    Matrix rowStride(long stride) {
        return new Matrix(data, offset, type, rows, columns, stride, columnStride, batchStride);
    }

    /// @return the same memory with matrices this many elements apart
    Matrix batchStride(long stride) {
        return new Matrix(data, offset, type, rows, columns, rowStride, columnStride, stride);
    }

    /// @return the transpose; nothing moves
    Matrix transpose() {
        return new Matrix(data, offset, type, columns, rows, columnStride, rowStride, batchStride);
    }

    /// @return the address of element (0, 0), once all elements of the batch are known to lie inside live memory
    long checkedAddress(String where, int batch) {
        if (!data.scope().isAlive()) {
            throw new IllegalStateException(where + ": memory must be alive, got a closed segment");
        }
        if (batch > 0 && rows > 0 && columns > 0) {
            long last = (batch - 1) * batchStride + (rows - 1) * rowStride + (columns - 1) * columnStride;
            long end = offset + (last + 1) * type.bytes();
            if (end > data.byteSize()) {
                throw new IllegalArgumentException("%s: %d matrices of %d×%d end at byte %d, got a segment of %d"
                        .formatted(where, batch, rows, columns, end, data.byteSize()));
            }
        }
        return data.address() + offset;
    }

    /// As left operand [M, K]: its lines are rows.
    Source leftSource(int batch) {
        return source(checkedAddress("gemm: left operand", batch), rows, rowStride, columnStride);
    }

    /// As right operand [K, N]: its lines are columns.
    Source rightSource(int batch) {
        return source(checkedAddress("gemm: right operand", batch), columns, columnStride, rowStride);
    }

    private Source source(long address, int lines, long lineStride, long stepStride) {
        boolean acrossLines = stepStride != 1 && (lineStride == 1 || lines <= 1);
        return acrossLines ? new Source.DenseSteps(type, address, stepStride, batchStride)
                : new Source.DenseLines(type, address, lineStride, batchStride);
    }
}
