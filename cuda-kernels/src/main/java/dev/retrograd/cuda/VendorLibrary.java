package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandleProxies;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/// A library of NVIDIA's that a host may have, beside the driver, and the functions that are called of it.
@SuppressWarnings("restricted")
final class VendorLibrary {
    private static final boolean WINDOWS = System.getProperty("os.name").startsWith("Windows");

    private final String name;
    private final SymbolLookup symbols;
    private final Map<String, FunctionDescriptor> bound = new TreeMap<>();

    /// Whether a library is to be used.
    enum Wish {
        NO,
        /// A host without it, or with one that refuses to work, is told so at most.
        IF_IT_WORKS,
        /// It was asked for by name.
        NEEDED
    }

    /// What a user asks for a library with.
    ///
    /// @param option `--gemm`
    /// @param value `cublas`
    /// @param what it needs, as a message says it
    record Asked(String option, String value, String what, Wish wish) {
    }

    /// @param name as messages say it
    VendorLibrary(String name, SymbolLookup symbols) {
        this.name = name;
        this.symbols = symbols;
    }

    /// What versions of a library are called on this system.
    ///
    /// @param stem of the library without version and `lib`, on Windows with what follows it there (`cublas64`)
    static List<String> files(String stem, String windows, String... versions) {
        return Stream.of(versions).map(v -> WINDOWS ? windows + "_" + v + ".dll" : "lib" + stem + ".so." + v).toList();
    }

    /// The first of these files that the host has.
    static Optional<VendorLibrary> find(String name, List<String> files) {
        for (String file : files) {
            try {
                return Optional.of(new VendorLibrary(name, SymbolLookup.libraryLookup(file, Arena.global())));
            } catch (IllegalArgumentException _) {
                // Not on this host; the next name may be.
            }
        }
        return Optional.empty();
    }

    /// A library that is ready, where it is to be used and can be.
    ///
    /// @param library where the host has it
    /// @param files what it would be called
    /// @param open makes it ready
    /// @throws CudaException if it was asked for by name and is missing, lacks a function, or refuses to work
    static <T> Optional<T> open(Asked asked, Optional<VendorLibrary> library, List<String> files, Function<VendorLibrary, T> open, Consumer<String> notices) {
        if (asked.wish == Wish.NEEDED && library.isEmpty()) {
            throw new CudaException("cuda: " + asked.option + " " + asked.value + " needs " + asked.what + ", and none was found (" + String.join(", ", files) + "); put its folder into "
                    + (WINDOWS ? "PATH" : "LD_LIBRARY_PATH") + ", or use " + asked.option + " ptx");
        }
        if (asked.wish == Wish.NO || library.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(open.apply(library.get()));
        } catch (CudaException e) {
            if (asked.wish == Wish.NEEDED) {
                throw e;
            }
            notices.accept(e.getMessage() + "; " + asked.option + " auto uses the program's own kernels");
            return Optional.empty();
        }
    }

    /// A function of the library as the one method of an interface, whose parameters and result are the function's: `int` for an int or an enumeration, `long` for
    /// a size_t, a segment for any pointer.
    ///
    /// @throws CudaException if the library has no such function
    <T> T bind(Class<T> type, String function) {
        MemorySegment address = symbols.find(function).orElseThrow(() -> new CudaException("cuda: " + name + " must have the function " + function + ", got a library without it"));
        Method method = Arrays.stream(type.getDeclaredMethods()).findFirst().orElseThrow();
        FunctionDescriptor descriptor = FunctionDescriptor.of(layout(method.getReturnType()), Arrays.stream(method.getParameterTypes()).map(VendorLibrary::layout).toArray(MemoryLayout[]::new));
        bound.put(function, descriptor);
        return MethodHandleProxies.asInterfaceInstance(type, Linker.nativeLinker().downcallHandle(address, descriptor));
    }

    private static MemoryLayout layout(Class<?> type) {
        return type == int.class ? JAVA_INT : type == long.class ? JAVA_LONG : ADDRESS;
    }

    /// The functions that were bound, as they are called.
    Map<String, FunctionDescriptor> bound() {
        return Map.copyOf(bound);
    }
}
