package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.DType;
import dev.retrograd.cuda.CudnnFunctions.InOneDirection;
import dev.retrograd.cuda.VendorLibrary.Asked;
import dev.retrograd.cuda.VendorLibrary.Wish;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// cuDNN 9 or 8, where the host has it: convolutions of channels-last images, and their gradients, of operands and results of one type. Sums are float32.
///
/// Of the algorithms that the library's own heuristic recommends for a shape, the first is taken that gives the same bits every time, fits into the workspace and
/// adds up products as they are: transforms (Fourier's, Winograd's) lose digits that float32 promises.
///
/// Source: NVIDIA's cuDNN API, `cudnnConvolutionForward`, `cudnnConvolutionBackwardData`, `cudnnConvolutionBackwardFilter`.
final class Cudnn implements AutoCloseable {
    /// Device memory for its algorithms. The ones for tensor cores need a few MiB; what would need more is not used.
    private static final long WORKSPACE = 64L << 20;
    /// 8.1, the first with bfloat16.
    private static final long OLDEST = 8100;
    private static final long CUDNN_9 = 90000;
    /// `CUDNN_STATUS_NOT_SUPPORTED`; from cuDNN 9 on, a range of 1000.
    private static final int NOT_SUPPORTED_8 = 9;
    private static final int NOT_SUPPORTED_9 = 3;
    private static final int STATUSES_OF_A_KIND = 1000;
    /// `CUDNN_DETERMINISTIC`.
    private static final int DETERMINISTIC = 1;
    /// `cudnnMathType_t`: tf32 on tensor cores is allowed, operands of 16 bits there, fused multiply-adds only.
    private static final int DEFAULT_MATH = 0;
    private static final int TENSOR_OP_MATH = 1;
    private static final int FMA_MATH = 3;
    private static final int MOST_ALGORITHMS = 16;
    /// `cudnnConvolution…AlgoPerf_t`: algo, status, time, memory, determinism, mathType and three more ints.
    private static final int PERFORMANCE_BYTES = 48;
    private static final int STATUS_AT = 4;
    private static final int MEMORY_AT = 16;
    private static final int DETERMINISM_AT = 24;
    private static final int MATH_AT = 28;
    private static final int ALIGNMENT = 16;

    /// Which operand is sought. Algorithms that add up products as they are: implicit and explicit matrix products and the direct one; of gradients, 1.
    enum Direction {
        FORWARD(Set.of(0, 1, 2, 3)), BACKWARD_DATA(Set.of(0, 1)), BACKWARD_FILTER(Set.of(0, 1, 3));

        private final Set<Integer> products;

        Direction(Set<Integer> products) {
            this.products = products;
        }
    }

    /// A convolution `[N,H,W,I]·[O,Kh,Kw,I] → [N,Ho,Wo,O]`, or one of its gradients.
    ///
    /// @param type of x, w and y
    record Convolution(Direction direction, DType type, int n, int h, int w, int inputs, int kernelHeight, int kernelWidth, int stride, int top, int left, int outHeight, int outWidth, int outputs) {

        /// Whether the library knows this geometry: its padding is the same at both ends, which matters for the size of the result only, and less than the kernel.
        private boolean possible() {
            return outHeight == (h + 2 * top - kernelHeight) / stride + 1 && outWidth == (w + 2 * left - kernelWidth) / stride + 1 && top < kernelHeight && left < kernelWidth
                    && Math.max((long) n * h * w * inputs, (long) n * outHeight * outWidth * outputs) <= Integer.MAX_VALUE;
        }
    }

    /// What is asked of the library for a convolution.
    private record Plan(MemorySegment x, MemorySegment w, MemorySegment y, MemorySegment convolution, int algorithm, long workspaceBytes) {
    }

    private final CudnnFunctions functions;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final boolean tf32;
    private final long version;
    private final MemorySegment handle;
    private final long workspace;
    private final MemorySegment one = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 0);
    private final Map<Convolution, Optional<Plan>> plans = new HashMap<>();

    /// @param stream that convolutions are done on
    /// @param tf32 whether float32 operands may be rounded to it
    /// @throws CudaException if the library is too old, lacks a function, or refuses to work
    Cudnn(VendorLibrary library, CudaDriver driver, CudaDriver.Stream stream, boolean tf32) {
        this.driver = driver;
        this.stream = stream;
        this.tf32 = tf32;
        functions = new CudnnFunctions(library);
        version = functions.version();
        if (version < OLDEST) {
            throw new CudaException("cuda: cuDNN must be 8.1 or newer, got version " + version);
        }
        MemorySegment streamHandle = MemorySegment.ofAddress(driver.handle(stream));
        workspace = driver.allocate(WORKSPACE);
        MemorySegment made = MemorySegment.NULL;
        boolean ready = false;
        try {
            made = made("cudnnCreate", functions.create);
            functions.check("cudnnSetStream", functions.setStream.call(made, streamHandle));
            ready = true;
        } finally {
            if (!ready) {
                if (made.address() != 0) {
                    functions.destroy.call(made);
                }
                driver.free(workspace);
            }
        }
        handle = made;
    }

    /// What the library is called on this system, the newest first.
    static List<String> files() {
        return VendorLibrary.files("cudnn", "cudnn64", "9", "8");
    }

    /// How it is asked for.
    static Asked asked(Convolutions convolutions) {
        return new Asked("--conv", "cudnn", "cuDNN 9 or 8", switch (convolutions) {
            case CUDNN -> Wish.NEEDED;
            case AUTO -> Wish.IF_IT_WORKS;
            case PTX, HOPPER -> Wish.NO;
        });
    }

    private MemorySegment made(String what, CudnnFunctions.OnHandle create) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment place = arena.allocate(ADDRESS);
            functions.check(what, create.call(place));
            return place.get(ADDRESS, 0);
        }
    }

    /// Bytes of device memory that it holds for its algorithms.
    long workspaceBytes() {
        return WORKSPACE;
    }

    /// Whether it can do this one.
    ///
    /// @param addresses of the operands and the result
    boolean takes(Convolution c, long... addresses) {
        for (long address : addresses) {
            if (address % ALIGNMENT != 0) {
                return false;
            }
        }
        return plans.computeIfAbsent(c, this::plan).isPresent();
    }

    /// Does one that it can do, on the stream that it was opened with, after all that the stream was given so far.
    ///
    /// @param x address of the image, or of its gradient if that is sought; likewise the others
    /// @throws CudaException if the library refuses
    void run(Convolution c, long x, long w, long y) {
        driver.handle(stream);
        Plan p = plans.get(c).orElseThrow();
        MemorySegment image = MemorySegment.ofAddress(x);
        MemorySegment kernel = MemorySegment.ofAddress(w);
        MemorySegment result = MemorySegment.ofAddress(y);
        MemorySegment room = MemorySegment.ofAddress(workspace);
        switch (c.direction) {
            case FORWARD -> functions.check("cudnnConvolutionForward",
                    functions.forward.convolve().call(handle, one, p.x, image, p.w, kernel, p.convolution, p.algorithm, room, p.workspaceBytes, zero, p.y, result));
            case BACKWARD_DATA -> functions.check("cudnnConvolutionBackwardData",
                    functions.backwardData.convolve().call(handle, one, p.w, kernel, p.y, result, p.convolution, p.algorithm, room, p.workspaceBytes, zero, p.x, image));
            case BACKWARD_FILTER -> functions.check("cudnnConvolutionBackwardFilter",
                    functions.backwardFilter.convolve().call(handle, one, p.x, image, p.y, result, p.convolution, p.algorithm, room, p.workspaceBytes, zero, p.w, kernel));
        }
    }

    private Optional<Plan> plan(Convolution c) {
        if (!c.possible()) {
            return Optional.empty();
        }
        driver.handle(stream); // the library asks the current context what device it is
        MemorySegment x = made("cudnnCreateTensorDescriptor", functions.createTensor);
        MemorySegment w = made("cudnnCreateFilterDescriptor", functions.createFilter);
        MemorySegment y = made("cudnnCreateTensorDescriptor", functions.createTensor);
        MemorySegment convolution = made("cudnnCreateConvolutionDescriptor", functions.createConvolution);
        Optional<Plan> plan = Optional.empty();
        try {
            int type = code(c.type);
            functions.setTensor(x, type, c.n, c.h, c.w, c.inputs);
            functions.setFilter(w, type, c.outputs, c.kernelHeight, c.kernelWidth, c.inputs);
            functions.setTensor(y, type, c.n, c.outHeight, c.outWidth, c.outputs);
            functions.setConvolution(convolution, c.top, c.left, c.stride);
            functions.setMathType(convolution, mathType(c.type));
            plan = switch (c.direction) {
                case FORWARD -> planned(c, functions.forward, x, w, y, new Plan(x, w, y, convolution, 0, 0));
                case BACKWARD_DATA -> planned(c, functions.backwardData, w, y, x, new Plan(x, w, y, convolution, 0, 0));
                case BACKWARD_FILTER -> planned(c, functions.backwardFilter, x, y, w, new Plan(x, w, y, convolution, 0, 0));
            };
            return plan;
        } finally {
            if (plan.isEmpty()) {
                destroy(new Plan(x, w, y, convolution, 0, 0));
            }
        }
    }

    private int mathType(DType type) {
        return type != DType.F32 ? TENSOR_OP_MATH : tf32 ? DEFAULT_MATH : FMA_MATH;
    }

    private Optional<Plan> planned(Convolution c, InOneDirection in, MemorySegment first, MemorySegment second, MemorySegment result, Plan p) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment returned = arena.allocate(JAVA_INT);
            MemorySegment performances = arena.allocate((long) MOST_ALGORITHMS * PERFORMANCE_BYTES, Long.BYTES);
            int status = in.algorithms().call(handle, first, second, p.convolution, result, MOST_ALGORITHMS, returned, performances);
            if (unsupported(status)) {
                return Optional.empty();
            }
            functions.check("cudnnGetConvolution…Algorithm_v7", status);
            for (int i = 0; i < returned.get(JAVA_INT, 0); i++) {
                MemorySegment each = performances.asSlice((long) i * PERFORMANCE_BYTES, PERFORMANCE_BYTES);
                int algorithm = each.get(JAVA_INT, 0);
                int math = each.get(JAVA_INT, MATH_AT);
                boolean exact = c.type != DType.F32 || tf32 || math == FMA_MATH;
                if (each.get(JAVA_INT, STATUS_AT) == 0 && each.get(JAVA_INT, DETERMINISM_AT) == DETERMINISTIC && exact && c.direction.products.contains(algorithm)
                        && each.get(JAVA_LONG, MEMORY_AT) <= WORKSPACE) {
                    functions.setMathType(p.convolution, math);
                    long bytes = workspaceBytes(arena, in, first, second, result, p.convolution, algorithm);
                    if (bytes <= WORKSPACE) {
                        return Optional.of(new Plan(p.x, p.w, p.y, p.convolution, algorithm, bytes));
                    }
                }
            }
            return Optional.empty();
        }
    }

    private boolean unsupported(int status) {
        return version < CUDNN_9 ? status == NOT_SUPPORTED_8 : status / STATUSES_OF_A_KIND == NOT_SUPPORTED_9;
    }

    private long workspaceBytes(SegmentAllocator memory, InOneDirection in, MemorySegment first, MemorySegment second, MemorySegment result, MemorySegment convolution, int algorithm) {
        MemorySegment bytes = memory.allocate(JAVA_LONG);
        functions.check("cudnnGetConvolution…WorkspaceSize", in.workspaceSize().call(handle, first, second, convolution, result, algorithm, bytes));
        return bytes.get(JAVA_LONG, 0);
    }

    /// `cudnnDataType_t`.
    private static int code(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 2;
            case BF16 -> 9;
            default -> throw new AssertionError(type);
        };
    }

    private void destroy(Plan p) {
        functions.destroyTensor.call(p.x);
        functions.destroyFilter.call(p.w);
        functions.destroyTensor.call(p.y);
        functions.destroyConvolution.call(p.convolution);
    }

    @Override public void close() {
        driver.synchronize(stream);
        plans.values().forEach(p -> p.ifPresent(this::destroy));
        functions.check("cudnnDestroy", functions.destroy.call(handle));
        driver.free(workspace);
    }
}
