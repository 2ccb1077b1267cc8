package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Stands in for the library: native functions of its names, which do in Java what its documentation says, on the memory of an emulated device.
final class FakeCublas implements AutoCloseable {
    private static final long HANDLE = 0xCB1A5;
    private static final int INVALID_VALUE = 7;
    private static final Map<Class<?>, ValueLayout> LAYOUTS = Map.of(int.class, JAVA_INT, long.class, JAVA_LONG, MemorySegment.class, ADDRESS);

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Arena arena = Arena.ofShared();
    private final Map<String, MemorySegment> functions = new HashMap<>();
    /// names of the functions that were called, in order
    final List<String> calls = new ArrayList<>();
    /// name of a function that returns an error
    String refused = "";

    FakeCublas(CudaDriver driver) {
        this.driver = driver;
        stream = driver.createStream();
        define("cublasCreate_v2", "create", MemorySegment.class);
        define("cublasDestroy_v2", "destroy", MemorySegment.class);
        define("cublasSetStream_v2", "setStream", MemorySegment.class, MemorySegment.class);
        define("cublasSetMathMode", "setMathMode", MemorySegment.class, int.class);
        define("cublasSetWorkspace_v2", "setWorkspace", MemorySegment.class, MemorySegment.class, long.class);
        Class<?> p = MemorySegment.class;
        define("cublasGemmEx", "gemmEx", p, int.class, int.class, int.class, int.class, int.class, p, p, int.class, int.class, p, int.class, int.class, p, p, int.class, int.class, int.class, int.class);
        define("cublasGemmStridedBatchedEx", "gemmStridedBatchedEx", p, int.class, int.class, int.class, int.class, int.class, p, p, int.class, int.class, long.class, p, int.class, int.class,
                long.class, p, p, int.class, int.class, long.class, int.class, int.class, int.class);
    }

    private void define(String name, String method, Class<?>... parameters) {
        try {
            MethodHandle target = MethodHandles.lookup().bind(this, method, MethodType.methodType(int.class, parameters));
            MemoryLayout[] layouts = List.of(parameters).stream().map(LAYOUTS::get).toArray(MemoryLayout[]::new);
            functions.put(name, Linker.nativeLinker().upcallStub(target, FunctionDescriptor.of(JAVA_INT, layouts), arena));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    SymbolLookup symbols() {
        return name -> java.util.Optional.ofNullable(functions.get(name));
    }

    /// Takes a function away.
    void remove(String name) {
        functions.remove(name);
    }

    int create(MemorySegment made) {
        calls.add("create");
        made.reinterpret(Long.BYTES).set(JAVA_LONG, 0, HANDLE);
        return 0;
    }

    int destroy(MemorySegment handle) {
        calls.add("destroy");
        return status(handle);
    }

    private static int status(MemorySegment handle) {
        return handle.address() == HANDLE ? 0 : INVALID_VALUE;
    }

    int setStream(MemorySegment handle, MemorySegment to) {
        calls.add("setStream " + to.address());
        return status(handle);
    }

    int setMathMode(MemorySegment handle, int mode) {
        calls.add("setMathMode " + mode);
        return refused.equals("setMathMode") ? INVALID_VALUE : status(handle);
    }

    int setWorkspace(MemorySegment handle, MemorySegment memory, long bytes) {
        calls.add("setWorkspace " + bytes);
        return status(handle);
    }

    int gemmEx(MemorySegment handle, int ta, int tb, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, MemorySegment b, int typeB, int ldb, MemorySegment beta,
            MemorySegment c, int typeC, int ldc, int compute, int algorithm) {
        calls.add("gemmEx " + compute);
        return status(handle) + one(ta, tb, m, n, k, alpha, new Columns(a.address(), typeA, lda), new Columns(b.address(), typeB, ldb), beta, new Columns(c.address(), typeC, ldc));
    }

    int gemmStridedBatchedEx(MemorySegment handle, int ta, int tb, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, long strideA, MemorySegment b, int typeB, int ldb,
            long strideB, MemorySegment beta, MemorySegment c, int typeC, int ldc, long strideC, int batch, int compute, int algorithm) {
        calls.add("gemmStridedBatchedEx " + compute);
        int status = status(handle);
        for (int i = 0; i < batch; i++) {
            status += one(ta, tb, m, n, k, alpha, new Columns(a.address() + i * strideA * bytes(typeA), typeA, lda), new Columns(b.address() + i * strideB * bytes(typeB), typeB, ldb), beta,
                    new Columns(c.address() + i * strideC * bytes(typeC), typeC, ldc));
        }
        return status;
    }

    private static int bytes(int type) {
        return type == 0 ? Float.BYTES : Short.BYTES;
    }

    /// A matrix on the device, column after column.
    private record Columns(long address, int type, int leading) {
    }

    private int one(int ta, int tb, int m, int n, int k, MemorySegment alpha, Columns a, Columns b, MemorySegment beta, Columns c) {
        int rowsA = ta == 1 ? k : m;
        int rowsB = tb == 1 ? n : k;
        if (a.leading < rowsA || b.leading < rowsB || c.leading < m) {
            return INVALID_VALUE;
        }
        double[] x = read(a, rowsA, ta == 1 ? m : k);
        double[] y = read(b, rowsB, tb == 1 ? k : n);
        float scale = alpha.reinterpret(Float.BYTES).get(JAVA_FLOAT, 0);
        float kept = beta.reinterpret(Float.BYTES).get(JAVA_FLOAT, 0);
        double[] z = kept == 0 ? new double[m * n] : read(c, m, n);
        for (int j = 0; j < n; j++) {
            for (int i = 0; i < m; i++) {
                double sum = 0;
                for (int l = 0; l < k; l++) {
                    sum += (ta == 1 ? x[i * k + l] : x[l * m + i]) * (tb == 1 ? y[l * n + j] : y[j * k + l]);
                }
                z[j * m + i] = scale * sum + kept * z[j * m + i];
            }
        }
        write(c, m, n, z);
        return 0;
    }

    private double[] read(Columns x, int rows, int columns) {
        double[] values = new double[rows * columns];
        try (Arena host = Arena.ofConfined()) {
            MemorySegment column = host.allocate((long) rows * bytes(x.type), Long.BYTES);
            for (int j = 0; j < columns; j++) {
                driver.copyToHost(x.address + (long) j * x.leading * bytes(x.type), column, stream);
                for (int i = 0; i < rows; i++) {
                    values[j * rows + i] = switch (x.type) {
                        case 0 -> column.getAtIndex(JAVA_FLOAT, i);
                        case 2 -> Float.float16ToFloat(column.getAtIndex(JAVA_SHORT, i));
                        default -> Float.intBitsToFloat(column.getAtIndex(JAVA_SHORT, i) << Short.SIZE);
                    };
                }
            }
        }
        return values;
    }

    private void write(Columns x, int rows, int columns, double... values) {
        try (Arena host = Arena.ofConfined()) {
            MemorySegment column = host.allocate((long) rows * bytes(x.type), Long.BYTES);
            for (int j = 0; j < columns; j++) {
                for (int i = 0; i < rows; i++) {
                    float v = (float) values[j * rows + i];
                    switch (x.type) {
                        case 0 -> column.setAtIndex(JAVA_FLOAT, i, v);
                        case 2 -> column.setAtIndex(JAVA_SHORT, i, Float.floatToFloat16(v));
                        default -> column.setAtIndex(JAVA_SHORT, i, bfloat16(v));
                    }
                }
                driver.copyToDevice(column, x.address + (long) j * x.leading * bytes(x.type), stream);
            }
        }
    }

    /// Rounded to nearest, ties to even.
    private static short bfloat16(float v) {
        int bits = Float.floatToRawIntBits(v);
        return (short) (bits + 0x7FFF + (bits >>> Short.SIZE & 1) >>> Short.SIZE);
    }

    @Override public void close() {
        arena.close();
    }
}
