package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandleProxies;
import jcuda.driver.CUresult;

/// Functions of the driver that JCuda lacks. Each is looked up when it is first called, since drivers before CUDA 12 do not have them.
@SuppressWarnings("restricted")
final class DriverFunctions {
    private static final int CLUSTER_DIMENSION = 4;
    private static final int ATTRIBUTE_BYTES = 72;
    private static final int ATTRIBUTE_VALUE = 8;
    private static final int L2_PROMOTION_128_BYTES = 2;
    private static final int MAP_ALIGNMENT = 128;
    /// `CUlaunchConfig`.
    private static final MemoryLayout CONFIGURATION = MemoryLayout.structLayout(MemoryLayout.sequenceLayout(7, JAVA_INT), MemoryLayout.paddingLayout(4), ADDRESS, ADDRESS, JAVA_INT,
            MemoryLayout.paddingLayout(4));
    private static final long STREAM_AT = 32;
    private static final long ATTRIBUTES_AT = 40;
    private static final long ATTRIBUTE_COUNT_AT = 48;

    /// `cuTensorMapEncodeTiled`.
    public interface EncodeTiled {
        int call(MemorySegment map, int type, int rank, MemorySegment address, MemorySegment sizes, MemorySegment strides, MemorySegment box, MemorySegment steps, int interleave,
                int swizzle, int promotion, int fill);
    }

    /// `cuLaunchKernelEx`.
    public interface LaunchKernelEx {
        int call(MemorySegment configuration, MemorySegment function, MemorySegment parameters, MemorySegment extra);
    }

    private final SymbolLookup driver;
    private EncodeTiled encodeTiled;
    private LaunchKernelEx launchKernelEx;

    /// @param driver the symbols of its library
    DriverFunctions(SymbolLookup driver) {
        this.driver = driver;
    }

    private <T> T bind(Class<T> type, String name, FunctionDescriptor descriptor) {
        MemorySegment function = driver.find(name).orElseThrow(() -> new CudaException("cuda: " + name + ": a driver for CUDA 12.0 or newer is required, got one without it"));
        return MethodHandleProxies.asInterfaceInstance(type, Linker.nativeLinker().downcallHandle(function, descriptor));
    }

    private static void check(String what, int result) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw new CudaException("cuda: " + what + ": " + CUresult.stringFor(result));
        }
    }

    /// @return the 128 bytes of the map
    long[] encode(TensorMap map) {
        if (encodeTiled == null) {
            encodeTiled = bind(EncodeTiled.class, "cuTensorMapEncodeTiled",
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment encoded = arena.allocate(TensorMap.BYTES, MAP_ALIGNMENT);
            check("cuTensorMapEncodeTiled", encodeTiled.call(encoded, code(map.type()), map.sizes().length, MemorySegment.ofAddress(map.address()), arena.allocateFrom(JAVA_LONG, map.sizes()),
                    arena.allocateFrom(JAVA_LONG, map.strides()), arena.allocateFrom(JAVA_INT, map.spans()), arena.allocateFrom(JAVA_INT, map.steps()), 0, map.swizzle().ordinal(),
                    L2_PROMOTION_128_BYTES, 0));
            return encoded.toArray(JAVA_LONG);
        }
    }

    /// `CUtensorMapDataType`.
    private static int code(DType type) {
        return switch (type) {
            case F16 -> 6;
            case F32 -> 7;
            case BF16 -> 9;
            default -> throw new AssertionError(type);
        };
    }

    /// Launches with clusters of blocks.
    ///
    /// @param function handle of the kernel
    /// @param stream handle of the stream
    void launch(String name, long function, LaunchGrid grid, int sharedBytes, LaunchArguments arguments, long stream) {
        if (launchKernelEx == null) {
            launchKernelEx = bind(LaunchKernelEx.class, "cuLaunchKernelEx", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attribute = arena.allocate(ATTRIBUTE_BYTES, Long.BYTES);
            attribute.set(JAVA_INT, 0, CLUSTER_DIMENSION);
            MemorySegment.copy(new int[] {grid.cluster(), 1, 1}, 0, attribute, JAVA_INT, ATTRIBUTE_VALUE, 3);
            MemorySegment configuration = arena.allocate(CONFIGURATION);
            int[] sizes = {grid.x(), grid.y(), grid.z(), grid.threadsX(), grid.threadsY(), grid.threadsZ(), sharedBytes};
            MemorySegment.copy(sizes, 0, configuration, JAVA_INT, 0, sizes.length);
            configuration.set(JAVA_LONG, STREAM_AT, stream);
            configuration.set(ADDRESS, ATTRIBUTES_AT, attribute);
            configuration.set(JAVA_INT, ATTRIBUTE_COUNT_AT, 1);
            check("launch of " + name, launchKernelEx.call(configuration, MemorySegment.ofAddress(function), arguments.addresses(), MemorySegment.NULL));
        }
    }
}
