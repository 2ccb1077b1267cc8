package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandleProxies;

/// Pages of memory between two pages that must not be touched: whoever reads or writes beyond an end faults, and the JVM with it. Linux only.
@SuppressWarnings("restricted")
final class GuardedMemory implements AutoCloseable {
    private static final long PAGE = 4096;
    private static final int PROT_NONE = 0;
    private static final int PROT_READ_WRITE = 3;
    /// Pages that nobody writes cost nothing.
    private static final int MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;

    /// Public, as proxies need it.
    public interface Mmap {
        MemorySegment map(MemorySegment address, long bytes, int protection, int flags, int file, long offset);
    }

    /// Public, as proxies need it.
    public interface Mprotect {
        int protect(MemorySegment address, long bytes, int protection);
    }

    /// Public, as proxies need it.
    public interface Munmap {
        int unmap(MemorySegment address, long bytes);
    }

    private final MemorySegment mapping;
    private final MemorySegment inside;

    GuardedMemory(long bytes) {
        long size = Math.ceilDiv(bytes, PAGE) * PAGE;
        mapping = function(Mmap.class, "mmap", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG))
                .map(MemorySegment.NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0).reinterpret(size + 2 * PAGE);
        inside = mapping.asSlice(PAGE, size);
        int refused = function(Mprotect.class, "mprotect", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT)).protect(inside, size, PROT_READ_WRITE);
        if (refused != 0) {
            throw new IllegalStateException("guarded memory: " + size + " bytes must be available, the system gave none");
        }
    }

    /// The last floats before the page behind.
    MemorySegment last(long floats) {
        return inside.asSlice(inside.byteSize() - 4 * floats);
    }

    /// The first floats after the page before.
    MemorySegment first(long floats) {
        return inside.asSlice(0, 4 * floats);
    }

    @Override public void close() {
        function(Munmap.class, "munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG)).unmap(mapping, mapping.byteSize());
    }

    private static <T> T function(Class<T> type, String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return MethodHandleProxies.asInterfaceInstance(type, linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor));
    }
}
