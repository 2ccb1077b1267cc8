package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.DType;
import dev.retrograd.cuda.VendorLibrary.Asked;
import dev.retrograd.cuda.VendorLibrary.Wish;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// cuBLAS of CUDA 12 or 13, where the host has it, through the few functions that a product needs. They are bound by java.lang.foreign: JCublas, which
/// would be a further dependency with natives of its own, knows the library of CUDA 12 only. Sums are float32; reductions in 16 bits are not
/// allowed. One stream and a workspace of its own make results repeat bit for bit.
///
/// Source: NVIDIA's cuBLAS documentation, `cublasGemmEx` and `cublasGemmStridedBatchedEx`.
final class Cublas implements GemmLibrary {
    private static final int CUDA_13 = 13000;
    /// What NVIDIA recommends for Hopper, more than others need.
    private static final long WORKSPACE = 32L << 20;
    private static final int NOT_TRANSPOSED = 0;
    private static final int TRANSPOSED = 1;
    /// `CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION` of the default mode.
    private static final int MATH_MODE = 16;
    private static final int COMPUTE_32F = 68;
    private static final int COMPUTE_32F_FAST_TF32 = 77;
    private static final int DEFAULT_ALGORITHM = -1;

    /// `cublasCreate_v2`, and functions like it.
    public interface OnHandle {
        int call(MemorySegment handle);
    }

    /// `cublasSetStream_v2`.
    public interface SetStream {
        int call(MemorySegment handle, MemorySegment stream);
    }

    /// `cublasSetMathMode`.
    public interface SetMathMode {
        int call(MemorySegment handle, int mode);
    }

    /// `cublasSetWorkspace_v2`.
    public interface SetWorkspace {
        int call(MemorySegment handle, MemorySegment memory, long bytes);
    }

    /// `cublasGemmEx`.
    public interface GemmEx {
        int call(MemorySegment handle, int transposeA, int transposeB, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, MemorySegment b, int typeB, int ldb,
                MemorySegment beta, MemorySegment c, int typeC, int ldc, int compute, int algorithm);
    }

    /// `cublasGemmStridedBatchedEx`.
    public interface GemmStridedBatchedEx {
        int call(MemorySegment handle, int transposeA, int transposeB, int m, int n, int k, MemorySegment alpha, MemorySegment a, int typeA, int lda, long strideA, MemorySegment b, int typeB,
                int ldb, long strideB, MemorySegment beta, MemorySegment c, int typeC, int ldc, long strideC, int batch, int compute, int algorithm);
    }

    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final boolean tf32;
    private final OnHandle destroy;
    private final GemmEx gemmEx;
    private final GemmStridedBatchedEx gemmStridedBatchedEx;
    private final MemorySegment handle;
    private final long workspace;
    private final MemorySegment alpha = Arena.ofAuto().allocate(JAVA_FLOAT);
    private final MemorySegment beta = Arena.ofAuto().allocate(JAVA_FLOAT);

    /// @param stream that products are done on
    /// @param tf32 whether float32 operands are rounded to it
    /// @throws CudaException if the library lacks a function, or refuses to work
    Cublas(VendorLibrary library, CudaDriver driver, CudaDriver.Stream stream, boolean tf32) {
        this.driver = driver;
        this.stream = stream;
        this.tf32 = tf32;
        OnHandle create = library.bind(OnHandle.class, "cublasCreate_v2");
        destroy = library.bind(OnHandle.class, "cublasDestroy_v2");
        SetStream setStream = library.bind(SetStream.class, "cublasSetStream_v2");
        SetMathMode setMathMode = library.bind(SetMathMode.class, "cublasSetMathMode");
        SetWorkspace setWorkspace = library.bind(SetWorkspace.class, "cublasSetWorkspace_v2");
        gemmEx = library.bind(GemmEx.class, "cublasGemmEx");
        gemmStridedBatchedEx = library.bind(GemmStridedBatchedEx.class, "cublasGemmStridedBatchedEx");
        MemorySegment streamHandle = MemorySegment.ofAddress(driver.handle(stream));
        workspace = driver.allocate(WORKSPACE);
        MemorySegment made = MemorySegment.NULL;
        boolean ready = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment place = arena.allocate(ADDRESS);
            check("cublasCreate_v2", create.call(place));
            made = place.get(ADDRESS, 0);
            check("cublasSetStream_v2", setStream.call(made, streamHandle));
            check("cublasSetMathMode", setMathMode.call(made, MATH_MODE));
            check("cublasSetWorkspace_v2", setWorkspace.call(made, MemorySegment.ofAddress(workspace), WORKSPACE));
            ready = true;
        } finally {
            if (!ready) {
                if (made.address() != 0) {
                    destroy.call(made);
                }
                driver.free(workspace);
            }
        }
        handle = made;
    }

    private static void check(String what, int status) {
        if (status != 0) {
            throw new CudaException("cuda: " + what + ": cublasStatus_t must be 0, got " + status);
        }
    }

    /// What the library is called on this system, the newest that a driver takes first.
    ///
    /// @param driverVersion as in {@link CudaDriver.Device}
    static List<String> files(int driverVersion) {
        return driverVersion >= CUDA_13 ? VendorLibrary.files("cublas", "cublas64", "13", "12") : VendorLibrary.files("cublas", "cublas64", "12");
    }

    /// How it is asked for.
    static Asked asked(Products products) {
        return new Asked("--gemm", "cublas", "cuBLAS of this driver's CUDA", switch (products) {
            case CUBLAS -> Wish.NEEDED;
            case AUTO -> Wish.IF_IT_WORKS;
            case PTX, HOPPER -> Wish.NO;
        });
    }

    /// The library wants columns one after the other: there, a matrix of ours is its transpose, and `cᵀ = op(b)ᵀ·op(a)ᵀ`.
    @Override public void gemm(Gemm g) {
        driver.handle(stream);
        alpha.set(JAVA_FLOAT, 0, g.alpha());
        beta.set(JAVA_FLOAT, 0, g.accumulate() ? 1 : 0);
        Matrix a = g.b();
        Matrix b = g.a();
        Matrix c = g.c();
        int compute = tf32 && a.type() == DType.F32 ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F;
        if (g.batch() == 1) {
            check("cublasGemmEx", gemmEx.call(handle, operation(a), operation(b), g.n(), g.m(), g.k(), alpha, address(a), code(a), leading(a), address(b), code(b), leading(b), beta, address(c),
                    code(c), leading(c), compute, DEFAULT_ALGORITHM));
        } else {
            check("cublasGemmStridedBatchedEx", gemmStridedBatchedEx.call(handle, operation(a), operation(b), g.n(), g.m(), g.k(), alpha, address(a), code(a), leading(a), a.stride(), address(b),
                    code(b), leading(b), b.stride(), beta, address(c), code(c), leading(c), c.stride(), g.batch(), compute, DEFAULT_ALGORITHM));
        }
    }

    private static int operation(Matrix x) {
        return x.transposed() ? TRANSPOSED : NOT_TRANSPOSED;
    }

    private static MemorySegment address(Matrix x) {
        return MemorySegment.ofAddress(x.address());
    }

    private static int leading(Matrix x) {
        return Math.toIntExact(x.columns());
    }

    /// `cudaDataType`.
    private static int code(Matrix x) {
        return switch (x.type()) {
            case F32 -> 0;
            case F16 -> 2;
            case BF16 -> 14;
            default -> throw new AssertionError(x.type());
        };
    }

    /// The types that it multiplies.
    static boolean takes(DType type) {
        return type == DType.F32 || type == DType.F16 || type == DType.BF16;
    }

    @Override public long workspaceBytes() {
        return WORKSPACE;
    }

    @Override public void close() {
        driver.synchronize(stream);
        check("cublasDestroy_v2", destroy.call(handle));
        driver.free(workspace);
    }
}
