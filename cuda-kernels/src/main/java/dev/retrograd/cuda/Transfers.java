package dev.retrograd.cuda;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;

/// Copies between host memory of any kind and tensors, in pieces through a ring of pinned buffers: while the device copies one, the host
/// fills or empties the others. Sizes have no limit.
final class Transfers implements AutoCloseable {
    private static final int BUFFERS = 4;
    private static final long BUFFER_BYTES = 4L << 20;

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Buffer[] ring;
    private int next;

    /// @param done when the device has read or written the memory
    private record Buffer(MemorySegment memory, CudaDriver.Event done) {
    }

    Transfers(CudaDriver driver, CudaDriver.Stream stream) {
        this.driver = driver;
        this.stream = stream;
        ring = Stream.generate(() -> new Buffer(driver.allocatePinned(BUFFER_BYTES), driver.createEvent())).limit(BUFFERS).toArray(Buffer[]::new);
    }

    /// Returns when the source has been read; the device may still be copying.
    ///
    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    void upload(MemorySegment source, Tensor target) {
        requireBytes("upload", source, target);
        long address = Launcher.address(target);
        for (long at = 0; at < source.byteSize(); at += BUFFER_BYTES) {
            Buffer buffer = take();
            MemorySegment piece = piece(buffer, at, source.byteSize());
            MemorySegment.copy(source, at, piece, 0, piece.byteSize());
            driver.copyToDevice(piece, address + at, stream);
            driver.record(buffer.done, stream);
        }
    }

    /// Waits for everything before it.
    ///
    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    void download(Tensor source, MemorySegment target) {
        requireBytes("download", target, source);
        long address = Launcher.address(source);
        long bytes = target.byteSize();
        for (long at = 0, emptied = 0; emptied < bytes; ) {
            for (; at < bytes && at - emptied < BUFFERS * BUFFER_BYTES; at += BUFFER_BYTES) {
                Buffer buffer = take();
                driver.copyToHost(address + at, piece(buffer, at, bytes), stream);
                driver.record(buffer.done, stream);
            }
            Buffer oldest = ring[Math.floorMod(next - Math.ceilDiv(at - emptied, BUFFER_BYTES), BUFFERS)];
            driver.synchronize(oldest.done);
            MemorySegment piece = piece(oldest, emptied, bytes);
            MemorySegment.copy(piece, 0, target, emptied, piece.byteSize());
            emptied += BUFFER_BYTES;
        }
    }

    /// The buffer whose turn it is, when the device no longer needs it.
    private Buffer take() {
        Buffer buffer = ring[next];
        next = (next + 1) % BUFFERS;
        driver.synchronize(buffer.done);
        return buffer;
    }

    private static MemorySegment piece(Buffer buffer, long at, long end) {
        return buffer.memory.asSlice(0, Math.min(BUFFER_BYTES, end - at));
    }

    private static void requireBytes(String what, MemorySegment host, Tensor t) {
        if (host.byteSize() != t.spec().bytes()) {
            throw new IllegalArgumentException(what + ": " + t + " takes " + t.spec().bytes() + " bytes, got " + host.byteSize());
        }
    }

    @Override public void close() {
        for (Buffer buffer : ring) {
            driver.freePinned(buffer.memory);
        }
    }
}
