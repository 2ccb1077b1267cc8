package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Stands in for a library of NVIDIA's: native functions of its names and types, which do in Java what its documentation says, on the memory of an emulated device.
abstract class FakeLibrary implements AutoCloseable {
    private static final Map<Character, ValueLayout> LAYOUTS = Map.of('i', JAVA_INT, 'l', JAVA_LONG, 'p', ADDRESS);

    private final String name;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Map<String, MemorySegment> functions = new HashMap<>();
    private final Map<String, FunctionDescriptor> declared = new TreeMap<>();
    private final VendorLibrary library;
    final Arena arena = Arena.ofShared();
    /// names of the functions that were called, in order, some with what they were given
    final List<String> calls = new ArrayList<>();
    /// the start of the calls that return an error
    String refused = "none";
    /// whether results are wrong by their last value
    boolean wrong;

    FakeLibrary(String name, CudaDriver driver) {
        this.name = name;
        this.driver = driver;
        stream = driver.createStream();
        library = new VendorLibrary(name, function -> Optional.ofNullable(functions.get(function)));
    }

    /// A function as the library's header declares it.
    ///
    /// @param lookup of the class that has the method
    /// @param types of the result, then of the parameters: i an int or an enumeration, l a size_t, p any pointer
    void define(MethodHandles.Lookup lookup, String function, String method, String types) {
        ValueLayout result = LAYOUTS.get(types.charAt(0));
        ValueLayout[] layouts = types.substring(1).chars().mapToObj(c -> LAYOUTS.get((char) c)).toArray(ValueLayout[]::new);
        Class<?>[] parameters = List.of(layouts).stream().map(ValueLayout::carrier).toArray(Class<?>[]::new);
        try {
            MethodHandle target = lookup.bind(this, method, MethodType.methodType(result.carrier(), parameters));
            declared.put(function, FunctionDescriptor.of(result, layouts));
            functions.put(function, Linker.nativeLinker().upcallStub(target, FunctionDescriptor.of(result, (MemoryLayout[]) layouts), arena));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(name + " " + function, e);
        }
    }

    /// As a host has it.
    VendorLibrary library() {
        return library;
    }

    Map<String, FunctionDescriptor> declared() {
        return declared;
    }

    /// Takes a function away.
    void remove(String function) {
        functions.remove(function);
    }

    /// Writes down a call.
    ///
    /// @return whether it is to be refused
    boolean called(String call) {
        calls.add(call);
        return call.startsWith(refused);
    }

    long count(String start) {
        return calls.stream().filter(c -> c.startsWith(start)).count();
    }

    double[] read(long address, DType type, int count) {
        double[] values = new double[count];
        try (Arena host = Arena.ofConfined()) {
            MemorySegment bytes = host.allocate((long) count * type.bytes(), Long.BYTES);
            driver.copyToHost(address, bytes, stream);
            driver.synchronize(stream);
            for (int i = 0; i < count; i++) {
                values[i] = switch (type) {
                    case F32 -> bytes.getAtIndex(JAVA_FLOAT, i);
                    case F16 -> Float.float16ToFloat(bytes.getAtIndex(JAVA_SHORT, i));
                    default -> DType.bf16ToFloat(bytes.getAtIndex(JAVA_SHORT, i));
                };
            }
        }
        return values;
    }

    void write(long address, DType type, double... values) {
        try (Arena host = Arena.ofConfined()) {
            MemorySegment bytes = host.allocate((long) values.length * type.bytes(), Long.BYTES);
            for (int i = 0; i < values.length; i++) {
                float v = (float) (wrong && i == values.length - 1 ? 100 + 2 * values[i] : values[i]);
                switch (type) {
                    case F32 -> bytes.setAtIndex(JAVA_FLOAT, i, v);
                    case F16 -> bytes.setAtIndex(JAVA_SHORT, i, Float.floatToFloat16(v));
                    default -> bytes.setAtIndex(JAVA_SHORT, i, DType.floatToBf16(v));
                }
            }
            driver.copyToDevice(bytes, address, stream);
            driver.synchronize(stream);
        }
    }

    /// Uses memory that the library was given.
    void clear(long address, long bytes) {
        driver.clear(address, bytes, stream);
        driver.synchronize(stream);
    }

    @Override public void close() {
        arena.close();
    }
}
