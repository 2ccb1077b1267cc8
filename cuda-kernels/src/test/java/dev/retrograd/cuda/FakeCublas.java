package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.DType;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Arrays;

/// Stands in for cuBLAS. Types of the functions: `cublas_api.h` of CUDA 12 and 13; `cublasCreate_v2` and the like are what its macros name.
final class FakeCublas extends FakeLibrary {
    private static final long HANDLE = 0xCB1A5;
    private static final int INVALID_VALUE = 7;

    FakeCublas(CudaDriver driver) {
        super("cuBLAS", driver);
        MethodHandles.Lookup here = MethodHandles.lookup();
        define(here, "cublasCreate_v2", "create", "ip");
        define(here, "cublasDestroy_v2", "destroy", "ip");
        define(here, "cublasSetStream_v2", "setStream", "ipp");
        define(here, "cublasSetMathMode", "setMathMode", "ipi");
        define(here, "cublasSetWorkspace_v2", "setWorkspace", "ippl");
        define(here, "cublasGemmEx", "gemmEx", "ipiiiiippiipiippiiii");
        define(here, "cublasGemmStridedBatchedEx", "gemmStridedBatchedEx", "ipiiiiippiilpiilppiiliii");
    }

    int create(MemorySegment made) {
        called("create");
        made.reinterpret(Long.BYTES).set(JAVA_LONG, 0, HANDLE);
        return 0;
    }

    int destroy(MemorySegment handle) {
        called("destroy");
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
        return called("setMathMode " + mode) ? INVALID_VALUE : status(handle);
    }

    int setWorkspace(MemorySegment handle, MemorySegment memory, long bytes) {
        calls.add("setWorkspace " + bytes);
        return status(handle);
    }

    int gemmEx(MemorySegment handle, int ta, int tb, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, MemorySegment b, int typeB, int ldb, MemorySegment beta,
            MemorySegment c, int typeC, int ldc, int compute, int algorithm) {
        return called("gemmEx " + compute) ? INVALID_VALUE : status(handle) + one(ta, tb, m, n, k, alpha, new Columns(a.address(), typeA, lda), new Columns(b.address(), typeB, ldb), beta, new Columns(c.address(), typeC, ldc));
    }

    int gemmStridedBatchedEx(MemorySegment handle, int ta, int tb, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, long strideA, MemorySegment b, int typeB, int ldb,
            long strideB, MemorySegment beta, MemorySegment c, int typeC, int ldc, long strideC, int batch, int compute, int algorithm) {
        calls.add("gemmStridedBatchedEx " + compute);
        int status = status(handle);
        for (int i = 0; i < batch; i++) {
            status += one(ta, tb, m, n, k, alpha, new Columns(a.address() + i * strideA * type(typeA).bytes(), typeA, lda), new Columns(b.address() + i * strideB * type(typeB).bytes(), typeB, ldb), beta,
                    new Columns(c.address() + i * strideC * type(typeC).bytes(), typeC, ldc));
        }
        return status;
    }

    /// Of a `cudaDataType`.
    private static DType type(int code) {
        return switch (code) {
            case 0 -> DType.F32;
            case 2 -> DType.F16;
            case 14 -> DType.BF16;
            default -> throw new AssertionError("cudaDataType " + code);
        };
    }

    /// A matrix on the device, column after column.
    private record Columns(long address, int type, int leading) {
        private long at(int column) {
            return address + (long) column * leading * FakeCublas.type(type).bytes();
        }
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
        for (int j = 0; j < columns; j++) {
            System.arraycopy(read(x.at(j), type(x.type), rows), 0, values, j * rows, rows);
        }
        return values;
    }

    private void write(Columns x, int rows, int columns, double... values) {
        for (int j = 0; j < columns; j++) {
            write(x.at(j), type(x.type), Arrays.copyOfRange(values, j * rows, (j + 1) * rows));
        }
    }
}
