package dev.retrograd.cuda;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// Where many tensors lie, as a table on the device, for kernels that treat them all in one launch (`spans.cuh`).
///
/// The table is sent anew only when it changes: weights and their moments stay where they are from one update to the next.
final class TensorTable implements AutoCloseable {
    /// Rows of one launch; longer lists take several.
    private static final int MAX_ROWS = 1024;
    /// Tensors of a row.
    private static final int MAX_TENSORS = 4;
    private static final int FIELDS = 2 + MAX_TENSORS;
    /// Elements that a block takes at a time.
    private static final int CHUNK = 2048;

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final MemorySegment staging;
    private final long address;
    private long[] sent = {};

    TensorTable(CudaDriver driver, CudaDriver.Stream stream) {
        this.driver = driver;
        this.stream = stream;
        staging = driver.allocatePinned(bytes());
        address = driver.allocate(bytes());
    }

    /// Bytes on the device.
    static long bytes() {
        return MAX_ROWS * FIELDS * (long) Long.BYTES;
    }

    /// What a kernel is told of the table.
    ///
    /// @param chunks of all rows
    record Rows(long address, int count, long chunks) {
    }

    /// Makes these the table's rows; what kernels launched before read stays as it was.
    ///
    /// @param rows at most 1024; the tensors of each have as many elements as its first
    Rows of(List<Tensor[]> rows) {
        long[] fields = new long[rows.size() * FIELDS];
        long chunks = 0;
        for (int r = 0; r < rows.size(); r++) {
            Tensor[] row = rows.get(r);
            fields[r * FIELDS] = chunks;
            fields[r * FIELDS + 1] = row[0].elements();
            for (int t = 0; t < row.length; t++) {
                fields[r * FIELDS + 2 + t] = Launcher.address(row[t]);
            }
            chunks += Math.ceilDiv(row[0].elements(), CHUNK);
        }
        if (!Arrays.equals(fields, sent)) {
            driver.synchronize(stream);   // the staging memory may still be read
            MemorySegment used = staging.asSlice(0, fields.length * (long) Long.BYTES);
            MemorySegment.copy(fields, 0, used, ValueLayout.JAVA_LONG, 0, fields.length);
            driver.copyToDevice(used, address, stream);
            sent = fields;
        }
        return new Rows(address, rows.size(), chunks);
    }

    /// Splits rows into as few launches as they fit.
    static void inLaunches(List<Tensor[]> rows, Consumer<List<Tensor[]>> launch) {
        for (int from = 0; from < rows.size(); from += MAX_ROWS) {
            launch.accept(rows.subList(from, Math.min(rows.size(), from + MAX_ROWS)));
        }
    }

    @Override public void close() {
        driver.free(address);
        driver.freePinned(staging);
    }
}
