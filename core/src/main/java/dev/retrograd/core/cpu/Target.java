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

    /// Every `stride`-th pixel of float32 images [B, height, width, channels] from (firstRow, firstColumn) on, `rows` by
    /// `columns` of them per image.
    record Pixels(long address, int height, int width, int channels, int stride, int firstRow, int firstColumn, int rows,
            int columns) implements Target {
        @Override public long row(int batch, int row) {
            long image = row / columns / rows;
            int y = firstRow + stride * (row / columns % rows);
            int x = firstColumn + stride * (row % columns);
            return address + ((image * height + y) * width + x) * channels * 4;
        }
    }
}
