package dev.retrograd.cuda;

import dev.retrograd.core.ArenaBlock;
import dev.retrograd.core.DType;
import dev.retrograd.core.Memory;
import dev.retrograd.core.OutOfMemoryException;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Storage;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.PriorityQueue;

/// Memory of one device for one stream: the driver's allocations behind a cache of size classes, since a training step asks for the same
/// sizes again and again. What is freed serves the next tensor at once: the stream's order keeps earlier work apart from later, and no other stream touches it
/// ({@link Transfers} says how copies manage that). Of several blocks the
/// one with the lowest address does, so that the same work finds its tensors at the same addresses whatever order they were freed in before, and its
/// launches are the same to the byte ({@link GraphingDriver}).
final class DevicePool implements AutoCloseable {
    /// Classes per doubling: at most 1/8 of a block is slack.
    private static final int CLASSES_PER_DOUBLING = 8;
    private static final int SMALLEST = 256;

    private static final String ADVICE = "; lower --micro-batch-size, --memory, the differentiated steps (--truncation) or the image size";

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final String advice;
    private final Map<Long, PriorityQueue<Long>> cache = new HashMap<>();
    private final Memory memory;
    private long reserved;

    /// @param stream on which all tensors are used
    /// @param precision of the activations, of which some take less memory
    DevicePool(String name, CudaDriver driver, CudaDriver.Stream stream, Precision precision) {
        this.driver = driver;
        this.stream = stream;
        advice = ADVICE + (precision.activations() == DType.F32 ? ", or choose --precision bf16" : "");
        memory = new Memory(name, this::allocate, new Whole());
    }

    /// The device memory of a tensor.
    class Block extends Storage {
        private final long address;

        private Block(String name, long bytes, long address) {
            super(name, bytes);
            this.address = address;
        }

        final long address() {
            return address;
        }

        /// The memory itself belongs to whoever has what is around it.
        @Override protected void free() {
            driver.forget(address, bytes(), stream);
        }
    }

    private final class Cached extends Block {
        private final long size;

        private Cached(String name, long bytes, long size, long address) {
            super(name, bytes, address);
            this.size = size;
        }

        @Override protected void free() {
            super.free();
            cache.computeIfAbsent(size, _ -> new PriorityQueue<>()).add(address());
        }
    }

    /// One of the driver's allocations.
    private final class Whole implements ArenaBlock {
        private OptionalLong address = OptionalLong.empty();
        private long size;

        @Override public void reserve(long bytes) {
            if (address.isEmpty() || size < bytes) {
                release();
                trim();
                address = OptionalLong.of(DevicePool.this.reserve("block of all its tensors", Math.max(bytes, SMALLEST)));
                size = Math.max(bytes, SMALLEST);
            }
        }

        @Override public Storage place(String name, long bytes, long offset) {
            return new Block(name, bytes, address.orElseThrow() + offset);
        }

        @Override public void release() {
            address.ifPresent(a -> {
                driver.free(a);
                reserved -= size;
            });
            address = OptionalLong.empty();
        }
    }

    Memory memory() {
        return memory;
    }

    /// Bytes taken from the device: live ones and cached ones.
    long reservedBytes() {
        return reserved;
    }

    private Storage allocate(String name, long bytes) {
        long size = sizeClass(bytes);
        PriorityQueue<Long> free = cache.get(size);
        Long reused = free == null ? null : free.poll();
        return new Cached(name, bytes, size, reused == null ? reserve(name, size) : reused);
    }

    /// Takes memory from the device; where it has too little, once more with everything that is cached given back.
    private long reserve(String name, long size) {
        long address;
        try {
            address = driver.allocate(size);
        } catch (CudaException _) {
            trim();
            try {
                address = driver.allocate(size);
            } catch (CudaException e) {
                throw new OutOfMemoryException(memory.path() + ": no room for '" + name + "': " + size + " bytes asked for, " + memory.liveBytes() + " live, " + driver.freeBytes()
                        + " free of " + driver.device().memoryBytes() + advice, e);
            }
        }
        reserved += size;
        return address;
    }

    /// The next multiple of an eighth of the power of two below.
    private static long sizeClass(long bytes) {
        long step = Math.max(SMALLEST, Long.highestOneBit(bytes) / CLASSES_PER_DOUBLING);
        return Math.ceilDiv(bytes, step) * step;
    }

    /// Gives what is cached back to the device, which waits for the work that uses it.
    void trim() {
        cache.forEach((size, addresses) -> addresses.forEach(address -> {
            driver.free(address);
            reserved -= size;
        }));
        cache.clear();
    }

    @Override public void close() {
        memory.close();
        memory.releaseArena();
        trim();
    }
}
