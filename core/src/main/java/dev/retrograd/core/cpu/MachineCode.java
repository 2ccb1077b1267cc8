package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import jdk.incubator.vector.FloatVector;

/// Pages of memory that hold machine code, and the call into them. Linux on x86-64 only.
///
/// Pages are written first and made executable afterwards, never both at once; they stay for the life of the process.
@SuppressWarnings("restricted")
final class MachineCode {
    /// `-Dretrograd.machineCode=false` does without.
    static final String PROPERTY = "retrograd.machineCode";

    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
    private static final long MAP_FAILED = -1;
    /// `ret`
    private static final byte[] NOTHING = {(byte) 0xC3};

    /// Why there is no machine code here, if so.
    static final Optional<String> OBSTACLE = obstacle();
    static final boolean AVAILABLE = OBSTACLE.isEmpty();

    /// Public, as proxies need it.
    public interface Code {
        void call(MemorySegment code, MemorySegment base, long at, long call, MemorySegment scratch);
    }

    /// Public, as proxies need it.
    public interface Mmap {
        MemorySegment map(MemorySegment address, long bytes, int protection, int flags, int file, long offset);
    }

    /// Public, as proxies need it.
    public interface Mprotect {
        int protect(MemorySegment address, long bytes, int protection);
    }

    /// Apart, as a machine without machine code need not know such calls.
    private static final class Call {
        /// Made without leaving Java, so that arrays can be passed: the garbage collector waits for its end, which is some microseconds away.
        static final Code CODE = bound(Code.class, Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS), Linker.Option.critical(true)));
    }

    private MachineCode() {}

    private static Optional<String> obstacle() {
        if (!Boolean.parseBoolean(System.getProperty(PROPERTY, "true"))) {
            return Optional.of("machine code is switched off by -D" + PROPERTY);
        }
        if (!System.getProperty("os.name").equals("Linux") || !System.getProperty("os.arch").equals("amd64")) {
            return Optional.of("machine code needs Linux on x86-64");
        }
        int bits = FloatVector.SPECIES_PREFERRED.vectorBitSize();
        if (bits < 256 || bits == 256 && !fusedMultiplyAdd()) {
            return Optional.of("machine code needs AVX2 with FMA, or AVX-512");
        }
        try {
            load(NOTHING);
            return Optional.empty();
        } catch (IllegalStateException e) {
            return Optional.of(e.getMessage());
        }
    }

    /// AVX-512 includes it, AVX does not.
    private static boolean fusedMultiplyAdd() {
        try {
            return Files.readString(Path.of("/proc/cpuinfo")).matches("(?s).*\\nflags[^\\n]* fma .*");
        } catch (IOException _) {
            return false;
        }
    }

    /// @return where the code lies, ready to be called
    /// @throws IllegalStateException if the system gives no memory that may be executed
    static MemorySegment load(byte[] code) {
        Mmap mmap = function(Mmap.class, "mmap", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
        Mprotect mprotect = function(Mprotect.class, "mprotect", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
        MemorySegment pages = mmap.map(MemorySegment.NULL, code.length, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        if (pages.address() == MAP_FAILED) {
            throw new IllegalStateException("machine code: memory for " + code.length + " bytes must be available, the system gave none");
        }
        MemorySegment.copy(code, 0, pages.reinterpret(code.length), JAVA_BYTE, 0, code.length);
        if (mprotect.protect(pages, code.length, PROT_READ | PROT_EXEC) != 0) {
            throw new IllegalStateException("machine code: the system must allow memory to be executed, it refused (SELinux's execmem?)");
        }
        return pages;
    }

    private static <T> T function(Class<T> type, String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return bound(type, linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor));
    }

    private static <T> T bound(Class<T> type, MethodHandle function) {
        return MethodHandleProxies.asInterfaceInstance(type, function);
    }

    /// Runs code with the arguments that [MachineCall] describes.
    static void call(MemorySegment code, MemorySegment base, long at, long call, MemorySegment scratch) {
        Call.CODE.call(code, base, at, call, scratch);
    }
}
