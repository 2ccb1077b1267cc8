package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.loadTail;
import static dev.retrograd.core.cpu.Vectors.store;
import static dev.retrograd.core.cpu.Vectors.storeTail;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Kernels that treat every element alike, but for those of two operands, which {@link CpuBinary} has.
final class CpuElementwise {
    private final Workers workers;

    CpuElementwise(Workers workers) {
        this.workers = workers;
    }

    void unary(Unary f, Tensor x, Tensor y) {
        requireSameElements("unary", x, y);
        boolean wide = Elements.isDouble("unary", x, y);
        int bytes = x.dtype().bytes();
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.result(y);
        workers.elements(x.elements(), (from, to) -> {
            MemorySegment xp = part(xs, from, to, bytes);
            MemorySegment yp = part(ys, from, to, bytes);
            if (wide) {
                UnaryScalars.runDouble(f, xp, yp, (int) (to - from));
            } else {
                UnaryLoops.run(f, xp.address(), yp.address(), (int) (to - from));
            }
        });
    }

    void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        requireSameElements("unaryBackward", x, dy);
        requireSameElements("unaryBackward", x, dx);
        boolean wide = Elements.isDouble("unaryBackward", x, dy, dx);
        int bytes = x.dtype().bytes();
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment dys = CpuMemory.data(dy);
        MemorySegment dxs = CpuMemory.result(dx);
        workers.elements(x.elements(), (from, to) -> {
            MemorySegment xp = part(xs, from, to, bytes);
            MemorySegment dyp = part(dys, from, to, bytes);
            MemorySegment dxp = part(dxs, from, to, bytes);
            if (wide) {
                UnaryScalars.runDoubleBackward(f, xp, dyp, dxp, (int) (to - from));
            } else {
                UnarySlopeLoops.run(f, xp.address(), dyp.address(), dxp.address(), (int) (to - from));
            }
        });
    }

    void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y) {
        if (coefficients.length != xs.length) {
            throw new IllegalArgumentException("linearCombination: one coefficient per tensor is required, got " + coefficients.length + " for " + xs.length);
        }
        boolean wide = Elements.isDouble("linearCombination", y);
        MemorySegment[] data = new MemorySegment[xs.length];
        for (int k = 0; k < xs.length; k++) {
            requireSameElements("linearCombination", xs[k], y);
            Elements.isDouble("linearCombination", y, xs[k]);
            data[k] = CpuMemory.data(xs[k]);
        }
        MemorySegment ys = CpuMemory.result(y);
        int bytes = y.dtype().bytes();
        float[] narrow = new float[coefficients.length];
        for (int k = 0; k < narrow.length; k++) {
            narrow[k] = (float) coefficients[k];
        }
        workers.elements(y.elements(), (from, to) -> {
            MemorySegment[] parts = Arrays.stream(data).map(d -> part(d, from, to, bytes)).toArray(MemorySegment[]::new);
            MemorySegment yp = part(ys, from, to, bytes);
            if (wide) {
                combineDoubles(constant, coefficients, parts, yp, (int) (to - from));
            } else {
                combineFloats((float) constant, narrow, Arrays.stream(parts).mapToLong(MemorySegment::address).toArray(), yp.address(), (int) (to - from));
            }
        });
    }

    private static void combineFloats(float constant, float[] c, long[] xs, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector sum = FloatVector.broadcast(VectorMath.FLOATS, constant);
            for (int k = 0; k < c.length; k++) {
                sum = load(xs[k], i).fma(FloatVector.broadcast(VectorMath.FLOATS, c[k]), sum);
            }
            store(y, i, sum);
        }
        if (i < n) {
            FloatVector sum = FloatVector.broadcast(VectorMath.FLOATS, constant);
            for (int k = 0; k < c.length; k++) {
                sum = loadTail(xs[k], i, n).fma(FloatVector.broadcast(VectorMath.FLOATS, c[k]), sum);
            }
            storeTail(y, i, n, sum);
        }
    }

    private static void combineDoubles(double constant, double[] c, MemorySegment[] xs, MemorySegment y, int n) {
        for (int i = 0; i < n; i++) {
            double sum = constant;
            for (int k = 0; k < c.length; k++) {
                sum += c[k] * xs[k].get(JAVA_DOUBLE_UNALIGNED, i * 8L);
            }
            y.set(JAVA_DOUBLE_UNALIGNED, i * 8L, sum);
        }
    }

    void fill(Tensor y, double value) {
        DType type = y.dtype();
        int bytes = type.bytes();
        MemorySegment ys = CpuMemory.result(y);
        workers.elements(y.elements(), (from, to) -> {
            MemorySegment part = part(ys, from, to, bytes);
            Elements.set(type, part, 0, value);
            // doubling what is written already
            for (long done = bytes; done < part.byteSize(); done *= 2) {
                MemorySegment.copy(part, 0, part, done, Math.min(done, part.byteSize() - done));
            }
        });
    }

    void convert(Tensor x, Tensor y) {
        requireSameElements("convert", x, y);
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.result(y);
        workers.elements(x.elements(), (from, to) -> convert(x.dtype(), part(xs, from, to, x.dtype().bytes()),
                y.dtype(), part(ys, from, to, y.dtype().bytes()), (int) (to - from)));
    }

    /// Copies n elements, converting.
    static void convert(DType from, MemorySegment x, DType to, MemorySegment y, int n) {
        if (from == to) {
            MemorySegment.copy(x, 0, y, 0, (long) n * from.bytes());
        } else if (from == DType.F16 && to == DType.F32) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_FLOAT_UNALIGNED, i * 4L, Float.float16ToFloat(x.get(JAVA_SHORT_UNALIGNED, i * 2L)));
            }
        } else if (from == DType.BF16 && to == DType.F32) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_FLOAT_UNALIGNED, i * 4L, DType.bf16ToFloat(x.get(JAVA_SHORT_UNALIGNED, i * 2L)));
            }
        } else if (from == DType.F32 && to == DType.F16) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_SHORT_UNALIGNED, i * 2L, Float.floatToFloat16(x.get(JAVA_FLOAT_UNALIGNED, i * 4L)));
            }
        } else if (from == DType.F32 && to == DType.BF16) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_SHORT_UNALIGNED, i * 2L, DType.floatToBf16(x.get(JAVA_FLOAT_UNALIGNED, i * 4L)));
            }
        } else if (from == DType.F32 && to == DType.F64) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_DOUBLE_UNALIGNED, i * 8L, x.get(JAVA_FLOAT_UNALIGNED, i * 4L));
            }
        } else if (from == DType.F64 && to == DType.F32) {
            for (int i = 0; i < n; i++) {
                y.set(JAVA_FLOAT_UNALIGNED, i * 4L, (float) x.get(JAVA_DOUBLE_UNALIGNED, i * 8L));
            }
        } else if (!from.floating() && !to.floating()) {
            for (int i = 0; i < n; i++) {
                Elements.setLong(to, y, i, Elements.getLong(from, x, i));
            }
        } else {
            for (int i = 0; i < n; i++) {
                Elements.set(to, y, i, Elements.get(from, x, i));
            }
        }
    }

    private static MemorySegment part(MemorySegment data, long from, long to, int bytes) {
        return data.asSlice(from * bytes, (to - from) * bytes);
    }

    private static void requireSameElements(String kernel, Tensor x, Tensor y) {
        if (x.elements() != y.elements()) {
            throw new ShapeException(kernel + ": as many elements are required in both, got " + x + " and " + y);
        }
    }
}
