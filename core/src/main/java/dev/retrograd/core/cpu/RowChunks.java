package dev.retrograd.core.cpu;

import dev.retrograd.core.Tensor;

/// How the rows of a tensor are split into tasks: by their number and width alone, so that sums over chunks have the same bits on any
/// number of threads.
///
/// @param images how many times `rows` follow one another; no chunk spans two
/// @param rows rows of one image
/// @param channels floats of one row
/// @param rowsPerChunk rows of a task, the last one of an image may have fewer
record RowChunks(int images, long rows, int channels, long rowsPerChunk) {
    /// Floats of a task: long enough to hide the cost of handing it out, short enough to stay in the second-level cache.
    private static final int CHUNK = 1 << 15;

    /// Work on the rows `from … to − 1` of an image.
    interface Body {
        void rows(int image, int chunk, long from, long to);
    }

    /// Chunks of a `[B,...,C]` tensor within its images.
    static RowChunks ofImages(Tensor x) {
        return of(x.dim(0), x.shape().span(1, x.shape().rank() - 1), x.shape().channels());
    }

    /// Chunks of all the rows of a tensor.
    static RowChunks ofRows(Tensor x) {
        return of(1, x.shape().rows(), x.shape().channels());
    }

    private static RowChunks of(int images, long rows, int channels) {
        long chunks = Math.ceilDiv(rows * channels, CHUNK);
        // as many for each of two or four threads, the last of them not a mere rest
        long even = chunks > 1 ? Math.ceilDiv(chunks, 4) * 4 : 1;
        return new RowChunks(images, rows, channels, Math.max(1, Math.ceilDiv(rows, even)));
    }

    int chunksPerImage() {
        return Math.toIntExact(Math.ceilDiv(rows, rowsPerChunk));
    }

    long elements() {
        return images * rows * channels;
    }

    /// The address of a tensor's first element, which has as many of them.
    ///
    /// @throws IllegalArgumentException unless it has, in float32
    long address(String kernel, Tensor t) {
        return CpuMemory.floats(kernel, t, elements());
    }

    /// As {@link #address}, of a kernel's result.
    long result(String kernel, Tensor t) {
        return CpuMemory.resultFloats(kernel, t, elements());
    }

    /// Bytes from the start of the tensor to a row.
    long byteOffset(int image, long row) {
        return (image * rows + row) * channels * Float.BYTES;
    }

    void forEach(Workers workers, Body body) {
        int chunks = chunksPerImage();
        workers.run(images * chunks, task -> {
            int chunk = task % chunks;
            long from = chunk * rowsPerChunk;
            body.rows(task / chunks, chunk, from, Math.min(rows, from + rowsPerChunk));
        });
    }
}
