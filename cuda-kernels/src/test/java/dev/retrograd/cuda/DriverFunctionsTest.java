package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The calls reach C functions as `cuda.h` declares them: functions of this test stand in for the driver's.
@SuppressWarnings("restricted")
class DriverFunctionsTest {
    private static final int INVALID_VALUE = 1;
    private final Arena arena = Arena.ofConfined();
    private int result;
    private long[] received;

    @AfterEach void close() {
        arena.close();
    }

    private DriverFunctions functions(String method, MethodType type, FunctionDescriptor descriptor) throws ReflectiveOperationException {
        MethodHandle handle = MethodHandles.lookup().bind(this, method, type);
        MemorySegment stub = Linker.nativeLinker().upcallStub(handle, descriptor, arena);
        SymbolLookup lookup = name -> name.equals("cu" + method) ? Optional.of(stub) : Optional.empty();
        return new DriverFunctions(lookup);
    }

    private DriverFunctions encoding() throws ReflectiveOperationException {
        Class<?> p = MemorySegment.class;
        return functions("TensorMapEncodeTiled", MethodType.methodType(int.class, p, int.class, int.class, p, p, p, p, p, int.class, int.class, int.class, int.class),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    }

    int TensorMapEncodeTiled(MemorySegment map, int type, int rank, MemorySegment address, MemorySegment sizes, MemorySegment strides, MemorySegment box, MemorySegment steps, int interleave,
            int swizzle, int promotion, int fill) {
        long[] s = sizes.reinterpret(rank * 8L).toArray(JAVA_LONG);
        long[] t = strides.reinterpret((rank - 1) * 8L).toArray(JAVA_LONG);
        int[] b = box.reinterpret(rank * 4L).toArray(JAVA_INT);
        int[] e = steps.reinterpret(rank * 4L).toArray(JAVA_INT);
        received = new long[] {map.address() % 64, type, rank, address.address(), s[0], s[1], s[2], t[0], t[1], b[0], b[1], b[2], e[0], e[1], e[2], interleave, swizzle, promotion, fill};
        MemorySegment whole = map.reinterpret(TensorMap.BYTES);
        for (int i = 0; i < TensorMap.BYTES / Long.BYTES; i++) {
            whole.setAtIndex(JAVA_LONG, i, 100 + i);
        }
        return result;
    }

    int LaunchKernelEx(MemorySegment configuration, MemorySegment function, MemorySegment parameters, MemorySegment extra) {
        MemorySegment c = configuration.reinterpret(56);
        MemorySegment attribute = c.get(ADDRESS, 40).reinterpret(72);
        long parameter = parameters.reinterpret(8).get(ADDRESS, 0).reinterpret(8).get(JAVA_LONG, 0);
        int[] sizes = c.asSlice(0, 28).toArray(JAVA_INT);
        received = new long[] {c.get(JAVA_LONG, 32), c.get(JAVA_INT, 48), attribute.get(JAVA_INT, 0), attribute.get(JAVA_INT, 8), attribute.get(JAVA_INT, 12), attribute.get(JAVA_INT, 16),
            function.address(), parameter, extra.address()};
        assertArrayEquals(new int[] {6, 2, 3, 128, 1, 1, 70000}, sizes);
        return result;
    }

    private static TensorMap map() {
        return new TensorMap(DType.BF16, 0x7_0000_0100L, new long[] {40, 30, 5}, new long[] {80, 2400}, new int[] {64, 32, 1}, new int[] {1, 2, 1}, TensorMap.Swizzle.BYTES_128);
    }

    /// Of a box of 32 elements, of which each is the first of 2, the driver wants to hear that it spans 64.
    @Test void aTensorMapIsAskedForAsTheHeaderSays() throws ReflectiveOperationException {
        long[] map = encoding().encode(map());
        assertArrayEquals(new long[] {0, 9, 3, 0x7_0000_0100L, 40, 30, 5, 80, 2400, 64, 64, 1, 1, 2, 1, 0, 3, 2, 0}, received);
        assertEquals(16, map.length);
        assertEquals(100 * 16 + 120, Arrays.stream(map).sum());
    }

    @Test void aClusterIsAnAttributeOfItsLaunch() throws ReflectiveOperationException {
        Class<?> p = MemorySegment.class;
        DriverFunctions functions = functions("LaunchKernelEx", MethodType.methodType(int.class, p, p, p, p), FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
        functions.launch("kernel", 0x1234, new LaunchGrid(6, 2, 3, 128, 1, 1, 2), 70000, new LaunchArguments().i64(77), 0x5678);
        assertArrayEquals(new long[] {0x5678, 1, 4, 2, 1, 1, 0x1234, 77, 0}, received);
    }

    @Test void failuresAndOldDriversAreNamed() throws ReflectiveOperationException {
        result = INVALID_VALUE;
        DriverFunctions functions = encoding();
        assertEquals("cuda: cuTensorMapEncodeTiled: CUDA_ERROR_INVALID_VALUE", assertThrows(CudaException.class, () -> functions.encode(map())).getMessage());
        assertEquals("cuda: cuLaunchKernelEx: a driver for CUDA 12.0 or newer is required, got one without it",
                assertThrows(CudaException.class, () -> functions.launch("kernel", 1, new LaunchGrid(2, 1, 1, 32, 1, 1, 2), 0, new LaunchArguments(), 1)).getMessage());
    }
}
