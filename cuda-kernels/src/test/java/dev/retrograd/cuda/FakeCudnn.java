package dev.retrograd.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.retrograd.core.DType;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Stands in for cuDNN: convolutions as its documentation defines them, of descriptors that are looked at, with algorithms of which one alone may be taken.
///
/// Types of the functions and values of enumerations: the headers `cudnn_ops*` and `cudnn_cnn*` of cuDNN 8.9 and 9, which agree in all that is used here.
final class FakeCudnn extends FakeLibrary {
    static final int BAD_PARAM = 2000;
    static final int NOT_SUPPORTED = 3000;
    private static final long HANDLE = 0xCD77;
    /// What the algorithm that may be taken needs.
    private static final long WORKSPACE = 4096;
    private static final int RIGHT = 1;
    private static final int NHWC = 1;
    private static final int CROSS_CORRELATION = 1;
    private static final int PERFORMANCE_BYTES = 48;
    private static final int DEFAULT_MATH = 0;
    private static final int TENSOR_OP_MATH = 1;
    private static final int FMA_MATH = 3;

    /// An image `[n,h,w,c]`, or kernels `[n,h,w,c]` of n outputs.
    private record Array(int type, int n, int h, int w, int c) {
        private int elements() {
            return n * h * w * c;
        }

        private DType dtype() {
            return switch (type) {
                case 0 -> DType.F32;
                case 2 -> DType.F16;
                case 9 -> DType.BF16;
                default -> throw new AssertionError("cudnnDataType_t " + type);
            };
        }
    }

    private record Geometry(int top, int left, int stride, int math) {
    }

    /// An operation's operands, whichever is sought.
    private record Operands(Array x, Array w, Array y, Geometry g) {

        /// What `cudnnGetConvolution2dForwardOutputDim` says of y, and one type.
        private boolean agree() {
            return x.type == w.type && w.type == y.type && x.c == w.c && y.c == w.n && x.n == y.n && y.h == 1 + (x.h + 2 * g.top - w.h) / g.stride && y.w == 1 + (x.w + 2 * g.left - w.w) / g.stride;
        }
    }

    private final Map<Long, Array> arrays = new HashMap<>();
    private final Map<Long, Geometry> geometries = new HashMap<>();
    private long created;
    long version = 91301;
    /// what the functions that recommend algorithms return
    int recommendation;

    FakeCudnn(CudaDriver driver) {
        super("cuDNN", driver);
        MethodHandles.Lookup here = MethodHandles.lookup();
        define(here, "cudnnGetVersion", "getVersion", "l");
        define(here, "cudnnGetErrorString", "getErrorString", "pi");
        define(here, "cudnnCreate", "create", "ip");
        define(here, "cudnnDestroy", "destroy", "ip");
        define(here, "cudnnSetStream", "setStream", "ipp");
        for (String what : List.of("Tensor", "Filter", "Convolution")) {
            define(here, "cudnnCreate" + what + "Descriptor", "createDescriptor", "ip");
            define(here, "cudnnDestroy" + what + "Descriptor", "destroyDescriptor", "ip");
        }
        define(here, "cudnnSetTensor4dDescriptor", "setTensor", "ipiiiiii");
        define(here, "cudnnSetFilter4dDescriptor", "setFilter", "ipiiiiii");
        define(here, "cudnnSetConvolution2dDescriptor", "setConvolution", "ipiiiiiiii");
        define(here, "cudnnSetConvolutionMathType", "setMathType", "ipi");
        for (String direction : List.of("Forward", "BackwardData", "BackwardFilter")) {
            define(here, "cudnnGetConvolution" + direction + "Algorithm_v7", "algorithms" + direction, "ipppppipp");
            define(here, "cudnnGetConvolution" + direction + "WorkspaceSize", "workspaceSize" + direction, "ipppppip");
            define(here, "cudnnConvolution" + direction, "convolution" + direction, "ipppppppiplppp");
        }
    }

    long getVersion() {
        return version;
    }

    MemorySegment getErrorString(int status) {
        return arena.allocateFrom(switch (status) {
            case BAD_PARAM -> "CUDNN_STATUS_BAD_PARAM";
            case NOT_SUPPORTED -> "CUDNN_STATUS_NOT_SUPPORTED";
            default -> "CUDNN_STATUS_INTERNAL_ERROR";
        });
    }

    int create(MemorySegment made) {
        made.reinterpret(Long.BYTES).set(JAVA_LONG, 0, HANDLE);
        return called("create") ? BAD_PARAM : 0;
    }

    int destroy(MemorySegment handle) {
        calls.add("destroy with " + (arrays.size() + geometries.size()) + " descriptors");
        return status(handle);
    }

    private static int status(MemorySegment handle) {
        return handle.address() == HANDLE ? 0 : BAD_PARAM;
    }

    int setStream(MemorySegment handle, MemorySegment to) {
        return called("setStream " + to.address()) ? BAD_PARAM : status(handle);
    }

    int createDescriptor(MemorySegment made) {
        made.reinterpret(Long.BYTES).set(JAVA_LONG, 0, ++created);
        return 0;
    }

    int destroyDescriptor(MemorySegment descriptor) {
        return arrays.remove(descriptor.address()) == null && geometries.remove(descriptor.address()) == null ? BAD_PARAM : 0;
    }

    int setTensor(MemorySegment descriptor, int format, int type, int n, int c, int h, int w) {
        arrays.put(descriptor.address(), new Array(type, n, h, w, c));
        return called("setTensor " + type + " " + n + "x" + h + "x" + w + "x" + c) || format != NHWC ? BAD_PARAM : 0;
    }

    int setFilter(MemorySegment descriptor, int type, int format, int k, int c, int h, int w) {
        arrays.put(descriptor.address(), new Array(type, k, h, w, c));
        return called("setFilter " + type + " " + k + "x" + h + "x" + w + "x" + c) || format != NHWC ? BAD_PARAM : 0;
    }

    int setConvolution(MemorySegment descriptor, int padHeight, int padWidth, int strideHeight, int strideWidth, int dilationHeight, int dilationWidth, int mode, int computeType) {
        geometries.put(descriptor.address(), new Geometry(padHeight, padWidth, strideHeight, DEFAULT_MATH));
        boolean refuse = called("setConvolution pad " + padHeight + "," + padWidth + " stride " + strideHeight);
        return refuse || strideHeight != strideWidth || dilationHeight != 1 || dilationWidth != 1 || mode != CROSS_CORRELATION || computeType != 0 ? BAD_PARAM : 0;
    }

    int setMathType(MemorySegment descriptor, int math) {
        calls.add("setMathType " + math);
        geometries.computeIfPresent(descriptor.address(), (_, g) -> new Geometry(g.top, g.left, g.stride, math));
        return 0;
    }

    int algorithmsForward(MemorySegment handle, MemorySegment x, MemorySegment w, MemorySegment convolution, MemorySegment y, int requested, MemorySegment returned, MemorySegment performances) {
        return recommend("Forward", handle, operands(x, w, y, convolution), requested, returned, performances);
    }

    int algorithmsBackwardData(MemorySegment handle, MemorySegment w, MemorySegment dy, MemorySegment convolution, MemorySegment dx, int requested, MemorySegment returned,
            MemorySegment performances) {
        return recommend("BackwardData", handle, operands(dx, w, dy, convolution), requested, returned, performances);
    }

    int algorithmsBackwardFilter(MemorySegment handle, MemorySegment x, MemorySegment dy, MemorySegment convolution, MemorySegment dw, int requested, MemorySegment returned,
            MemorySegment performances) {
        return recommend("BackwardFilter", handle, operands(x, dw, dy, convolution), requested, returned, performances);
    }

    private Operands operands(MemorySegment x, MemorySegment w, MemorySegment y, MemorySegment convolution) {
        return new Operands(arrays.get(x.address()), arrays.get(w.address()), arrays.get(y.address()), geometries.get(convolution.address()));
    }

    /// Six, of which the last alone gives the same bits, fits, is exact and no transform; a library that is asked for fewer gives fewer.
    private int recommend(String direction, MemorySegment handle, Operands o, int requested, MemorySegment returned, MemorySegment performances) {
        calls.add("algorithms" + direction);
        if (recommendation != 0 || !o.agree()) {
            return recommendation != 0 ? recommendation : BAD_PARAM;
        }
        int math = o.g.math;
        int another = math == FMA_MATH ? DEFAULT_MATH : math;
        int transform = direction.equals("Forward") ? 4 : 2;
        int[][] all = {{transform, 0, 0, 1, math}, {RIGHT, NOT_SUPPORTED, 0, 1, math}, {RIGHT, 0, 1 << 30, 1, math}, {0, 0, 0, 0, math}, {math == FMA_MATH ? RIGHT : transform, 0, 0, 1, another},
            {RIGHT, 0, (int) WORKSPACE, 1, math}};
        int count = Math.min(all.length, requested);
        returned.reinterpret(Integer.BYTES).set(JAVA_INT, 0, count);
        MemorySegment to = performances.reinterpret((long) requested * PERFORMANCE_BYTES);
        for (int i = 0; i < count; i++) {
            long at = (long) i * PERFORMANCE_BYTES;
            to.set(JAVA_INT, at, all[i][0]);
            to.set(JAVA_INT, at + 4, all[i][1]);
            to.set(JAVA_FLOAT, at + 8, i);
            to.set(JAVA_LONG, at + 16, all[i][2]);
            to.set(JAVA_INT, at + 24, all[i][3]);
            to.set(JAVA_INT, at + 28, all[i][4]);
        }
        return status(handle);
    }

    int workspaceSizeForward(MemorySegment handle, MemorySegment x, MemorySegment w, MemorySegment convolution, MemorySegment y, int algorithm, MemorySegment bytes) {
        return workspaceSize(handle, operands(x, w, y, convolution), algorithm, bytes);
    }

    int workspaceSizeBackwardData(MemorySegment handle, MemorySegment w, MemorySegment dy, MemorySegment convolution, MemorySegment dx, int algorithm, MemorySegment bytes) {
        return workspaceSize(handle, operands(dx, w, dy, convolution), algorithm, bytes);
    }

    int workspaceSizeBackwardFilter(MemorySegment handle, MemorySegment x, MemorySegment dy, MemorySegment convolution, MemorySegment dw, int algorithm, MemorySegment bytes) {
        return workspaceSize(handle, operands(x, dw, dy, convolution), algorithm, bytes);
    }

    private static int workspaceSize(MemorySegment handle, Operands o, int algorithm, MemorySegment bytes) {
        bytes.reinterpret(Long.BYTES).set(JAVA_LONG, 0, WORKSPACE);
        return algorithm == RIGHT && o.agree() ? status(handle) : BAD_PARAM;
    }

    int convolutionForward(MemorySegment handle, MemorySegment alpha, MemorySegment xDesc, MemorySegment x, MemorySegment wDesc, MemorySegment w, MemorySegment convolution, int algorithm,
            MemorySegment workspace, long bytes, MemorySegment beta, MemorySegment yDesc, MemorySegment y) {
        Operands o = operands(xDesc, wDesc, yDesc, convolution);
        int status = begin("Forward", handle, alpha, beta, o, algorithm, workspace, bytes);
        if (status == 0) {
            double[] xs = read(x.address(), o.x.dtype(), o.x.elements());
            double[] ws = read(w.address(), o.w.dtype(), o.w.elements());
            double[] ys = new double[o.y.elements()];
            terms(o, (i, j, k) -> ys[k] += xs[i] * ws[j]);
            write(y.address(), o.y.dtype(), ys);
        }
        return status;
    }

    int convolutionBackwardData(MemorySegment handle, MemorySegment alpha, MemorySegment wDesc, MemorySegment w, MemorySegment dyDesc, MemorySegment dy, MemorySegment convolution, int algorithm,
            MemorySegment workspace, long bytes, MemorySegment beta, MemorySegment dxDesc, MemorySegment dx) {
        Operands o = operands(dxDesc, wDesc, dyDesc, convolution);
        int status = begin("BackwardData", handle, alpha, beta, o, algorithm, workspace, bytes);
        if (status == 0) {
            double[] ws = read(w.address(), o.w.dtype(), o.w.elements());
            double[] dys = read(dy.address(), o.y.dtype(), o.y.elements());
            double[] dxs = new double[o.x.elements()];
            terms(o, (i, j, k) -> dxs[i] += ws[j] * dys[k]);
            write(dx.address(), o.x.dtype(), dxs);
        }
        return status;
    }

    int convolutionBackwardFilter(MemorySegment handle, MemorySegment alpha, MemorySegment xDesc, MemorySegment x, MemorySegment dyDesc, MemorySegment dy, MemorySegment convolution, int algorithm,
            MemorySegment workspace, long bytes, MemorySegment beta, MemorySegment dwDesc, MemorySegment dw) {
        Operands o = operands(xDesc, dwDesc, dyDesc, convolution);
        int status = begin("BackwardFilter", handle, alpha, beta, o, algorithm, workspace, bytes);
        if (status == 0) {
            double[] xs = read(x.address(), o.x.dtype(), o.x.elements());
            double[] dys = read(dy.address(), o.y.dtype(), o.y.elements());
            double[] dws = new double[o.w.elements()];
            terms(o, (i, j, k) -> dws[j] += xs[i] * dys[k]);
            write(dw.address(), o.w.dtype(), dws);
        }
        return status;
    }

    private int begin(String direction, MemorySegment handle, MemorySegment alpha, MemorySegment beta, Operands o, int algorithm, MemorySegment workspace, long bytes) {
        int math = o.g.math;
        boolean refuse = called("convolution" + direction + " math " + math);
        boolean scaled = alpha.reinterpret(Float.BYTES).get(JAVA_FLOAT, 0) != 1 || beta.reinterpret(Float.BYTES).get(JAVA_FLOAT, 0) != 0;
        boolean precise = o.x.type == 0 ? math == FMA_MATH || math == DEFAULT_MATH : math == TENSOR_OP_MATH;
        if (refuse || scaled || !precise || algorithm != RIGHT || bytes != WORKSPACE || !o.agree()) {
            return BAD_PARAM;
        }
        clear(workspace.address(), bytes);
        return status(handle);
    }

    /// A product that the convolution adds up, by its indices in x, w and y.
    private interface Term {
        void add(int x, int w, int y);
    }

    private static void terms(Operands o, Term term) {
        Array x = o.x;
        Array w = o.w;
        Array y = o.y;
        for (int pixel = 0; pixel < y.n * y.h * y.w; pixel++) {
            for (int tap = 0; tap < w.h * w.w; tap++) {
                int row = pixel / y.w % y.h * o.g.stride - o.g.top + tap / w.w;
                int column = pixel % y.w * o.g.stride - o.g.left + tap % w.w;
                if (row < 0 || row >= x.h || column < 0 || column >= x.w) {
                    continue;
                }
                int at = ((pixel / y.w / y.h * x.h + row) * x.w + column) * x.c;
                for (int out = 0; out < y.c; out++) {
                    for (int in = 0; in < x.c; in++) {
                        term.add(at + in, (out * w.h * w.w + tap) * w.c + in, pixel * y.c + out);
                    }
                }
            }
        }
    }
}
