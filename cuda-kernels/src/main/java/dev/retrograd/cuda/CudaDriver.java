package dev.retrograd.cuda;

import java.lang.foreign.MemorySegment;

/// What the backend needs of a CUDA driver, for one device whose context it holds.
///
/// Copies and launches on a stream happen in the order of the calls, some time later; what was asked of different streams is ordered by
/// events only. Host memory of a copy must stay as it is until the stream has been synchronised. Failures are {@link CudaException}s. One
/// thread at a time.
public interface CudaDriver extends AutoCloseable {

    /// A device, as its driver describes it.
    ///
    /// @param driverVersion of CUDA that the driver is for: 1000 times the major number plus ten times the minor one
    /// @param computeCapability ten times the major number plus the minor one: 80 for 8.0
    /// @param memoryBytes all memory of the device
    /// @param sharedBytesPerBlock most dynamic shared memory that a kernel may ask for
    record Device(int ordinal, String name, int driverVersion, int computeCapability, long memoryBytes, int multiprocessors, int sharedBytesPerBlock) {
    }

    /// A loaded module.
    interface Module {
        /// @throws CudaException if it has no such kernel
        Kernel kernel(String name);
    }

    /// A kernel that can be launched.
    interface Kernel {
        String name();
    }

    /// A queue of work. Streams last until the driver closes.
    interface Stream {
    }

    /// A point in a stream's work.
    interface Event {
    }

    /// Work that was recorded once, to be launched as a whole. It keeps the arguments of its launches, but reads and writes memory anew each time.
    interface Graph {
    }

    Device device();

    /// Bytes that are free on the device now.
    long freeBytes();

    /// @return the address of at least this many bytes, a multiple of 256
    /// @throws CudaException if there is not so much free
    long allocate(long bytes);

    void free(long address);

    /// Says that after what was asked of the stream so far nobody reads what lies there before it is written anew. A GPU need not know; a driver that
    /// checks reads does.
    default void forget(long address, long bytes, Stream stream) {
    }

    /// Host memory that the device reaches without a detour: copies from and to it are truly asynchronous.
    MemorySegment allocatePinned(long bytes);

    void freePinned(MemorySegment memory);

    /// @param source native memory
    void copyToDevice(MemorySegment source, long target, Stream stream);

    /// @param target native memory
    void copyToHost(long source, MemorySegment target, Stream stream);

    void copyOnDevice(long source, long target, long bytes, Stream stream);

    /// Sets bytes to 0.
    void clear(long address, long bytes, Stream stream);

    /// Compiles PTX for the device.
    ///
    /// @param name what messages call it
    /// @throws CudaException with the compiler's log if it refuses the text
    Module load(String name, String ptx);

    /// Lets a kernel use more than 48 KiB of shared memory.
    void allowSharedBytes(Kernel kernel, int bytes);

    /// Describes a tensor to the hardware that copies boxes of it.
    ///
    /// @return 128 bytes that a kernel takes by value, aligned to 64: {@link LaunchArguments#tensorMap}
    /// @throws CudaException if the device is older than compute capability 9.0, or its driver than CUDA 12.0
    long[] encode(TensorMap map);

    /// @param sharedBytes dynamic shared memory of each block
    void launch(Kernel kernel, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, Stream stream);

    Stream createStream();

    /// What the driver itself calls a stream, for another library that gives it work; that comes after all that was asked of the stream so far. To be
    /// asked for anew before each such piece of work.
    long handle(Stream stream);

    void synchronize(Stream stream);

    Event createEvent();

    void record(Event event, Stream stream);

    /// Waits on the host for an event's point; at once if it was never recorded.
    void synchronize(Event event);

    /// Makes a stream's later work wait for an event's point.
    void await(Event event, Stream stream);

    /// Milliseconds between two recorded points; waits for the later one.
    float elapsedMillis(Event start, Event end);

    /// Makes the stream record what it is asked for instead of doing it. It cannot be waited for meanwhile.
    void beginCapture(Stream stream);

    /// Ends the recording; the stream does its work again.
    ///
    /// @throws CudaException if something could not be recorded
    Graph endCapture(Stream stream);

    void launch(Graph graph, Stream stream);

    void free(Graph graph);

    @Override void close();
}
