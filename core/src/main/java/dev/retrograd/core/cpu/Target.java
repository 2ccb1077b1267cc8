package dev.retrograd.core.cpu;

/// Where the rows of a float32 result begin; columns are contiguous.
interface Target {

    /// @return address of column 0
    long row(int batch, int row);

    /// Rows a fixed distance apart; strides in floats.
    record Dense(long address, long stride, long batchStride) implements Target {
        @Override public long row(int batch, int row) {
            return address + (batch * batchStride + row * stride) * 4;
        }
    }
}
