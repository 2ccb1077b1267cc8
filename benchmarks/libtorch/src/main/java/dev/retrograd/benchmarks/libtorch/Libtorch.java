package dev.retrograd.benchmarks.libtorch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/// Loads libtorch with MKL in the place of the BLAS that it was linked with, on a fixed number of threads.
///
/// libtorch resolves `sgemm_` in the process's global scope before its own dependencies, so that MKL, opened globally before it, takes the calls. MKL
/// shares libtorch's OpenMP runtime: with one of its own, two teams of threads would spin against each other.
final class Libtorch {
    private static final int RTLD_LAZY = 0x1;
    private static final int RTLD_GLOBAL = 0x100;
    /// `MKL_THREADING_GNU` of mkl_service.h.
    private static final int THREADING_GNU = 3;

    private Libtorch() {
    }

    /// @throws IllegalStateException if a library cannot be loaded
    static void load(int threads) {
        System.setProperty("org.bytedeco.javacpp.nopointergc", "true"); // scopes free what the comparison allocates
        System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0"); // else every allocation reads /proc
        Path runtime = unpackMkl().resolve("libmkl_rt.so.2");
        SymbolLookup symbols = SymbolLookup.libraryLookup(runtime, Arena.global());
        call(symbols, "MKL_Set_Threading_Layer", THREADING_GNU);
        call(symbols, "MKL_Set_Num_Threads", threads);
        openGlobally(runtime);
        torch.set_num_threads(threads);
    }

    /// @return the folder of its libraries, which open one another from there
    private static Path unpackMkl() {
        try {
            return Loader.cacheResource("/org/bytedeco/mkl/" + Loader.getPlatform()).toPath();
        } catch (IOException e) {
            throw new UncheckedIOException("libtorch: MKL's libraries cannot be unpacked", e);
        }
    }

    /// What libtorch says of its threads and libraries.
    static String description() {
        return torch.show_config().getString() + torch.get_parallel_info().getString();
    }

    private static void call(SymbolLookup symbols, String name, int value) {
        MemorySegment function = symbols.find(name).orElseThrow(() -> new IllegalStateException("libtorch: MKL must have " + name + ", got a library without it"));
        invoke(Linker.nativeLinker().downcallHandle(function, FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT)), value);
    }

    private static void openGlobally(Path library) {
        Linker linker = Linker.nativeLinker();
        MemorySegment dlopen = linker.defaultLookup().find("dlopen").orElseThrow(() -> new IllegalStateException("libtorch: the C library must have dlopen, got one without it"));
        MethodHandle handle = linker.downcallHandle(dlopen, FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment opened = (MemorySegment) invoke(handle, arena.allocateFrom(library.toString()), RTLD_LAZY | RTLD_GLOBAL);
            if (opened.address() == 0) {
                throw new IllegalStateException("libtorch: " + library + " must open, got a refusal of the loader");
            }
        }
    }

    private static Object invoke(MethodHandle handle, Object... arguments) {
        try {
            return handle.invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("libtorch: a native call failed", e);
        }
    }
}
