package dev.retrograd.cuda;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;

/// Copies between host memory of any kind and tensors, through a pinned buffer.
final class Transfers implements AutoCloseable {
    private static final long STAGING_BYTES = 4L << 20;

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final MemorySegment staging;

    Transfers(CudaDriver driver, CudaDriver.Stream stream) {
        this.driver = driver;
        this.stream = stream;
        staging = driver.allocatePinned(STAGING_BYTES);
    }

    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    void upload(MemorySegment source, Tensor target) {
        requireBytes("upload", source, target);
        long address = Launcher.address(target);
        for (long at = 0; at < source.byteSize(); at += STAGING_BYTES) {
            MemorySegment chunk = staging.asSlice(0, Math.min(STAGING_BYTES, source.byteSize() - at));
            MemorySegment.copy(source, at, chunk, 0, chunk.byteSize());
            driver.copyToDevice(chunk, address + at, stream);
            driver.synchronize(stream);
        }
    }

    /// Waits for everything before it.
    ///
    /// @throws IllegalArgumentException unless there are as many bytes as the tensor has
    void download(Tensor source, MemorySegment target) {
        requireBytes("download", target, source);
        long address = Launcher.address(source);
        for (long at = 0; at < target.byteSize(); at += STAGING_BYTES) {
            MemorySegment chunk = staging.asSlice(0, Math.min(STAGING_BYTES, target.byteSize() - at));
            driver.copyToHost(address + at, chunk, stream);
            driver.synchronize(stream);
            MemorySegment.copy(chunk, 0, target, at, chunk.byteSize());
        }
    }

    private static void requireBytes(String what, MemorySegment host, Tensor t) {
        if (host.byteSize() != t.spec().bytes()) {
            throw new IllegalArgumentException(what + ": " + t + " takes " + t.spec().bytes() + " bytes, got " + host.byteSize());
        }
    }

    @Override public void close() {
        driver.freePinned(staging);
    }
}
