package dev.retrograd.core.cpu;

import dev.retrograd.core.ArenaBlock;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Memory;
import dev.retrograd.core.OutOfMemoryException;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Storage;
import dev.retrograd.core.Tensor;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandleProxies;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongFunction;

/// Off-heap memory of the CPU backend: malloc behind a cache of size classes, since a training step asks for the same sizes again and again.
@SuppressWarnings("restricted")
final class CpuMemory implements AutoCloseable {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final LongFunction<MemorySegment> MALLOC = bound(LongFunction.class, "malloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
    private static final Consumer<MemorySegment> FREE = bound(Consumer.class, "free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    /// Classes per doubling: at most 1/8 of a block is slack.
    private static final int CLASSES_PER_DOUBLING = 8;

    /// Of every tensor's first byte.
    private static final int ALIGNMENT = 4;

    /// What may lie unused when the system is asked for more: an eighth of what is in use, and so much that a miniature keeps most of its blocks.
    private static final int IDLE_SHARE = 8;
    private static final long IDLE_BYTES = 16L << 20;

    /// Classes by their last use, the longest unused first.
    private final Map<Long, ArrayDeque<Block>> cache = new LinkedHashMap<>(16, 0.75f, true);
    private long cached;
    private final boolean poison;
    private final Memory memory = new Memory("cpu", this::allocate, new Whole());
    private long reserved;

    /// @param poison whether fresh tensors are filled with NaN, so that a kernel that leaves part of its output unwritten is seen in tests
    CpuMemory(boolean poison) {
        this.poison = poison;
    }

    /// A function of the C library; it throws nothing.
    @SuppressWarnings("unchecked")
    private static <T> T bound(Class<?> type, String function, FunctionDescriptor descriptor) {
        return (T) MethodHandleProxies.asInterfaceInstance(type, LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(function), descriptor));
    }

    Memory memory() {
        return memory;
    }

    /// Bytes taken from the system: live ones and cached ones.
    long reservedBytes() {
        return reserved;
    }

    /// The elements of a tensor of this backend, native and at least 4-byte aligned.
    ///
    /// @throws IllegalStateException if the tensor was freed
    /// @throws IllegalArgumentException if it belongs to another backend
    static MemorySegment data(Tensor t) {
        if (t.storage() instanceof Native n) {
            return n.segment.asSlice(t.byteOffset(), t.spec().bytes());
        }
        throw new IllegalArgumentException("cpu: " + t + " belongs to another backend");
    }

    /// The address of a float32 tensor's first element, for loops over {@link Native#ALL}, which check nothing more.
    ///
    /// @param elements as many as the kernel will touch
    /// @throws DTypeException unless the tensor holds float32
    /// @throws ShapeException unless it holds as many elements
    static long floats(String kernel, Tensor t, long elements) {
        Elements.require(kernel, DType.F32, t);
        if (t.elements() != elements) {
            throw new ShapeException(kernel + ": " + elements + " elements are required, got " + t);
        }
        return data(t).address();
    }

    /// As {@link #floats}, of a kernel's result.
    ///
    /// @throws IllegalArgumentException also if it shares memory that must not be written
    static long resultFloats(String kernel, Tensor t, long elements) {
        floats(kernel, t, elements);
        return result(t).address();
    }

    /// As {@link #data}, of a kernel's result.
    ///
    /// @throws IllegalArgumentException also if it shares memory that must not be written
    static MemorySegment result(Tensor t) {
        MemorySegment data = data(t);
        if (data.isReadOnly()) {
            throw new IllegalArgumentException("cpu: a result that may be written is required, got " + t);
        }
        return data;
    }

    /// Whether kernels can read bytes where they lie: off the heap and aligned as {@link #data} promises.
    static boolean canShare(MemorySegment bytes) {
        return bytes.isNative() && bytes.address() % ALIGNMENT == 0;
    }

    Tensor share(String name, Spec spec, MemorySegment bytes) {
        return memory.adopt(name, spec, new Shared(name, bytes));
    }

    private Storage allocate(String name, long bytes) {
        long size = sizeClass(bytes);
        ArrayDeque<Block> free = cache.get(size);
        Block reused = free == null ? null : free.pollFirst();
        MemorySegment raw;
        if (reused == null) {
            trim((reserved - cached) / IDLE_SHARE + IDLE_BYTES);
            raw = malloc(name, size);
        } else {
            cached -= size;
            raw = reused.raw;
        }
        return poisoned(new Block(name, bytes, size, raw));
    }

    private Native poisoned(Native fresh) {
        if (poison) {
            fresh.segment.fill((byte) 0xFF);
        }
        return fresh;
    }

    private MemorySegment malloc(String name, long size) {
        MemorySegment raw = MALLOC.apply(size + Memory.ALIGNMENT).reinterpret(size + Memory.ALIGNMENT);
        if (raw.address() == 0) {
            trim();
            raw = MALLOC.apply(size + Memory.ALIGNMENT).reinterpret(size + Memory.ALIGNMENT);
        }
        if (raw.address() == 0) {
            throw new OutOfMemoryException("cpu: no room for '" + name + "' of " + size + " bytes in " + memory.path() + "; "
                    + memory.liveBytes() + " bytes are live; try a smaller --micro-batch-size or image size");
        }
        reserved += size;
        return raw;
    }

    /// Smallest class that holds so many bytes.
    static long sizeClass(long bytes) {
        long step = Math.max(Memory.ALIGNMENT, Long.highestOneBit(bytes) / CLASSES_PER_DOUBLING);
        return Math.ceilDiv(bytes, step) * step;
    }

    /// Gives all cached blocks back to the system.
    void trim() {
        trim(0);
    }

    /// Gives cached blocks back until no more than `idle` bytes lie unused: the sizes of the last stage first, a UNet's once the decoder works.
    private void trim(long idle) {
        for (ArrayDeque<Block> blocks : cache.values()) {
            while (cached > idle && !blocks.isEmpty()) {
                Block block = blocks.removeLast();
                reserved -= block.size;
                cached -= block.size;
                FREE.accept(block.raw);
            }
        }
    }

    @Override public void close() {
        memory.close();
        memory.releaseArena();
        trim();
    }

    private static MemorySegment aligned(MemorySegment raw) {
        return raw.asSlice(-raw.address() & Memory.ALIGNMENT - 1);
    }

    private abstract static class Native extends Storage {
        final MemorySegment segment;

        Native(String name, long bytes, MemorySegment segment) {
            super(name, bytes);
            this.segment = segment;
        }

        /// Nothing: whoever has the memory around it frees it.
        @Override protected void free() {
        }
    }

    private static final class Placed extends Native {
        Placed(String name, MemorySegment segment) {
            super(name, segment.byteSize(), segment);
        }
    }

    /// One block from the system.
    private final class Whole implements ArenaBlock {
        private Optional<MemorySegment> raw = Optional.empty();
        private long size;

        @Override public void reserve(long bytes) {
            if (raw.isEmpty() || size < bytes) {
                release();
                trim();
                raw = Optional.of(malloc("arena", bytes));
                size = bytes;
            }
        }

        @Override public Storage place(String name, long bytes, long offset) {
            return poisoned(new Placed(name, aligned(raw.orElseThrow()).asSlice(offset, bytes)));
        }

        @Override public void release() {
            raw.ifPresent(r -> {
                FREE.accept(r);
                reserved -= size;
            });
            raw = Optional.empty();
        }
    }

    private final class Block extends Native {
        private final long size;
        private final MemorySegment raw;

        Block(String name, long bytes, long size, MemorySegment raw) {
            super(name, bytes, aligned(raw).asSlice(0, bytes));
            this.size = size;
            this.raw = raw;
        }

        @Override protected void free() {
            cache.computeIfAbsent(size, _ -> new ArrayDeque<>()).addFirst(this);
            cached += size;
        }
    }

    /// Somebody else's memory, most often a mapped file.
    private static final class Shared extends Native {
        Shared(String name, MemorySegment segment) {
            super(name, Math.ceilDiv(Math.max(segment.byteSize(), 1), (long) Memory.ALIGNMENT) * Memory.ALIGNMENT, segment);
        }

        @Override public boolean readOnly() {
            return true;
        }
    }
}
