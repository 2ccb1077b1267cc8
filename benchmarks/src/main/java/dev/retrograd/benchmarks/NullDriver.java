package dev.retrograd.benchmarks;

import dev.retrograd.cuda.CudaDriver;
import dev.retrograd.cuda.LaunchArguments;
import dev.retrograd.cuda.LaunchGrid;
import dev.retrograd.cuda.TensorMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A CUDA device that does nothing and takes no time, so that what is left is the host's own work. Its addresses lead nowhere; what is copied from it is
/// whatever lay in the host's memory.
final class NullDriver implements CudaDriver {
    private static final Device H100 = new Device(0, "nothing, as an H100", 12060, 90, 80L << 30, 132, 227 << 10);
    private static final long ALIGNMENT = 256;
    private static final int TENSOR_MAP_WORDS = 16;

    private long next = ALIGNMENT;
    private long submissions;
    private boolean capturing;

    private record Named(String name) implements Kernel {
    }

    /// Times that the device was given kernels: single launches, and graphs.
    long submissions() {
        return submissions;
    }

    @Override public Device device() {
        return H100;
    }

    @Override public long freeBytes() {
        return H100.memoryBytes();
    }

    @Override public long allocate(long bytes) {
        long address = next;
        next = Math.ceilDiv(next + bytes, ALIGNMENT) * ALIGNMENT;
        return address;
    }

    @Override public void free(long address) {
    }

    @Override public MemorySegment allocatePinned(long bytes) {
        return Arena.ofAuto().allocate(bytes, Long.BYTES);
    }

    @Override public void freePinned(MemorySegment memory) {
    }

    @Override public void copyToDevice(MemorySegment source, long target, Stream stream) {
    }

    @Override public void copyToHost(long source, MemorySegment target, Stream stream) {
    }

    @Override public void copyOnDevice(long source, long target, long bytes, Stream stream) {
    }

    @Override public void clear(long address, long bytes, Stream stream) {
    }

    @Override public Module load(String name, String ptx) {
        return Named::new;
    }

    @Override public void allowSharedBytes(Kernel kernel, int bytes) {
    }

    @Override public void launch(Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, Stream stream) {
        if (!capturing) {
            submissions++;
        }
    }

    @Override public long[] encode(TensorMap map) {
        return new long[TENSOR_MAP_WORDS];
    }

    @Override public Stream createStream() {
        return new Stream() { };
    }

    @Override public long handle(Stream stream) {
        return 0;
    }

    @Override public void synchronize(Stream stream) {
    }

    @Override public Event createEvent() {
        return new Event() { };
    }

    @Override public void record(Event event, Stream stream) {
    }

    @Override public void synchronize(Event event) {
    }

    @Override public void await(Event event, Stream stream) {
    }

    @Override public float elapsedMillis(Event start, Event end) {
        return 0;
    }

    @Override public void beginCapture(Stream stream) {
        capturing = true;
    }

    @Override public Graph endCapture(Stream stream) {
        capturing = false;
        return new Graph() { };
    }

    @Override public void launch(Graph graph, Stream stream) {
        submissions++;
    }

    @Override public void free(Graph graph) {
    }

    @Override public void close() {
    }
}
