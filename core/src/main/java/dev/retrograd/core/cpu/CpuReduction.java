package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.DOUBLES;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static dev.retrograd.core.cpu.Vectors.loadTail;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Sums and repetition. All sums are float64 within chunks that depend on shapes only, added in their order.
final class CpuReduction {
    /// Columns that one task sums.
    private static final int COLUMNS = 512;
    /// Most chunks that rows are cut into, each holding a row of partial sums.
    private static final int ROW_CHUNKS = 32;

    private final Workers workers;

    CpuReduction(Workers workers) {
        this.workers = workers;
    }

    void sumTo(Tensor x, double scale, Tensor y) {
        requireBroadcast("sumTo", y, x);
        boolean wide = Elements.isDouble("sumTo", x, y);
        Walk walk = Walk.of(x.shape(), y.shape());
        if (x.elements() == 0) {
            CpuMemory.data(y).fill((byte) 0);
            return;
        }
        long step = walk.step(0);
        boolean outerSummed = walk.axes() > 1 && walk.strides()[0][walk.axes() - 2] == 0;
        if (!wide && step == 0 && walk.axes() <= 2 && !outerSummed) {
            sumRows(CpuMemory.data(x), walk.rows(), walk.length(), scale, CpuMemory.data(y));
        } else if (!wide && step == 1 && walk.axes() <= 3 && outerSummed) {
            int rows = walk.sizes()[walk.axes() - 2];
            sumColumns(CpuMemory.data(x), walk.rows() / rows, rows, walk.length(), scale, CpuMemory.data(y));
        } else {
            sumAny(x, scale, y);
        }
    }

    /// `y[i] = scale · Σ x[i, :]` for x `[rows, size]`.
    private void sumRows(MemorySegment x, long rows, int size, double scale, MemorySegment y) {
        int piece = (int) Math.min(size, Workers.CHUNK);
        int pieces = Math.ceilDiv(size, piece);
        double[] partial = new double[Math.toIntExact(rows * pieces)];
        workers.rows(rows * pieces, piece, (from, to) -> {
            for (long i = from; i < to; i++) {
                long at = i / pieces * size + i % pieces * piece;
                int n = (int) Math.min(piece, size - i % pieces * piece);
                partial[(int) i] = sum(x.asSlice(at * 4, n * 4L).address(), n);
            }
        });
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int i = 0; i < pieces; i++) {
                sum += partial[r * pieces + i];
            }
            y.set(JAVA_FLOAT_UNALIGNED, r * 4L, (float) (scale * sum));
        }
    }

    private static double sum(long x, int n) {
        DoubleVector even = DoubleVector.zero(DOUBLES);
        DoubleVector odd = DoubleVector.zero(DOUBLES);
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector v = load(x, i);
            even = even.add(half(v, 0));
            odd = odd.add(half(v, 1));
        }
        if (i < n) {
            FloatVector v = loadTail(x, i, n);
            even = even.add(half(v, 0));
            odd = odd.add(half(v, 1));
        }
        return VectorMath.sum(even.add(odd));
    }

    private static double sumOfSquares(long x, int n) {
        DoubleVector even = DoubleVector.zero(DOUBLES);
        DoubleVector odd = DoubleVector.zero(DOUBLES);
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector v = load(x, i);
            even = half(v, 0).fma(half(v, 0), even);
            odd = half(v, 1).fma(half(v, 1), odd);
        }
        if (i < n) {
            FloatVector v = loadTail(x, i, n);
            even = half(v, 0).fma(half(v, 0), even);
            odd = half(v, 1).fma(half(v, 1), odd);
        }
        return VectorMath.sum(even.add(odd));
    }

    private static DoubleVector half(FloatVector v, int part) {
        return (DoubleVector) v.convert(VectorOperators.F2D, part);
    }

    /// `y[b, c] = scale · Σ x[b, :, c]` for x `[batch, rows, channels]`.
    private void sumColumns(MemorySegment x, long batch, int rows, int channels, double scale, MemorySegment y) {
        int blocks = Math.ceilDiv(channels, COLUMNS);
        long perChunk = Math.max(Math.ceilDiv(rows, ROW_CHUNKS), Math.max(1, Workers.CHUNK / Math.min(channels, COLUMNS)));
        int chunks = (int) Math.ceilDiv(rows, perChunk);
        double[] partial = new double[Math.toIntExact(batch * chunks * channels)];
        long tasks = batch * chunks * blocks;
        long cost = perChunk * Math.min(channels, COLUMNS);
        workers.rows(tasks, cost, (from, to) -> {
            for (long task = from; task < to; task++) {
                long group = task / blocks;
                int firstRow = (int) (group % chunks * perChunk);
                int lastRow = (int) Math.min(rows, firstRow + perChunk);
                int first = (int) (task % blocks) * COLUMNS;
                MemorySegment part = x.asSlice((group / chunks * rows + firstRow) * channels * 4L, (long) (lastRow - firstRow) * channels * 4);
                columns(part.address(), lastRow - firstRow, channels, first, Math.min(channels, first + COLUMNS), partial, (int) group * channels);
            }
        });
        for (int b = 0; b < batch; b++) {
            for (int c = 0; c < channels; c++) {
                double sum = 0;
                for (int i = 0; i < chunks; i++) {
                    sum += partial[(b * chunks + i) * channels + c];
                }
                y.set(JAVA_FLOAT_UNALIGNED, ((long) b * channels + c) * 4, (float) (scale * sum));
            }
        }
    }

    private static void columns(long x, int rows, int channels, int from, int to, double[] sums, int at) {
        int wide = DOUBLES.length();
        int c = from;
        for (; c <= to - LANES; c += LANES) {
            DoubleVector low = DoubleVector.zero(DOUBLES);
            DoubleVector high = DoubleVector.zero(DOUBLES);
            for (int r = 0; r < rows; r++) {
                FloatVector v = load(x + ((long) r * channels + c) * 4);
                low = low.add(half(v, 0));
                high = high.add(half(v, 1));
            }
            low.intoArray(sums, at + c);
            high.intoArray(sums, at + c + wide);
        }
        for (; c < to; c++) {
            double sum = 0;
            for (int r = 0; r < rows; r++) {
                sum += Native.ALL.get(JAVA_FLOAT_UNALIGNED, x + ((long) r * channels + c) * 4);
            }
            sums[at + c] = sum;
        }
    }

    /// Any pattern and both types: one output after the other, its terms in the order in which they lie.
    private void sumAny(Tensor x, double scale, Tensor y) {
        Walk walk = Walk.of(x.shape(), y.shape());
        DType type = x.dtype();
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.result(y);
        double[] sums = new double[Math.toIntExact(y.elements())];
        int length = walk.length();
        int step = (int) walk.step(0);
        for (long row = 0; row < walk.rows(); row++) {
            int at = (int) walk.offset(0, row);
            for (int i = 0; i < length; i++) {
                sums[at + i * step] += Elements.get(type, xs, row * length + i);
            }
        }
        for (int i = 0; i < sums.length; i++) {
            Elements.set(type, ys, i, scale * sums[i]);
        }
    }

    void broadcastTo(Tensor x, double scale, Tensor y) {
        requireBroadcast("broadcastTo", x, y);
        boolean wide = Elements.isDouble("broadcastTo", x, y);
        if (y.elements() == 0) {
            return;
        }
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.result(y);
        Walk walk = Walk.of(y.shape(), x.shape());
        int bytes = y.dtype().bytes();
        int length = walk.length();
        int step = (int) walk.step(0);
        int piece = (int) Math.min(length, Workers.CHUNK);
        int pieces = Math.ceilDiv(length, piece);
        workers.rows(walk.rows() * pieces, piece, (from, to) -> {
            for (long i = from; i < to; i++) {
                long row = i / pieces;
                long at = i % pieces * piece;
                int n = (int) Math.min(piece, length - at);
                MemorySegment xp = xs.asSlice((walk.offset(0, row) + at * step) * bytes);
                MemorySegment yp = ys.asSlice((row * length + at) * bytes, (long) n * bytes);
                if (wide) {
                    repeatDoubles(xp, step, scale, yp, n);
                } else {
                    repeatFloats(xp.address(), step, (float) scale, yp.address(), n);
                }
            }
        });
    }

    private static void repeatFloats(long x, int step, float scale, long y, int n) {
        FloatVector one = FloatVector.broadcast(VectorMath.FLOATS, Native.ALL.get(JAVA_FLOAT_UNALIGNED, x) * scale);
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            if (step == 0) {
                Vectors.store(y, i, one);
            } else {
                Vectors.store(y, i, load(x, i).mul(scale));
            }
        }
        for (; i < n; i++) {
            Native.ALL.set(JAVA_FLOAT_UNALIGNED, y + i * 4L, Native.ALL.get(JAVA_FLOAT_UNALIGNED, x + (long) i * step * 4) * scale);
        }
    }

    private static void repeatDoubles(MemorySegment x, int step, double scale, MemorySegment y, int n) {
        for (int i = 0; i < n; i++) {
            y.set(JAVA_DOUBLE_UNALIGNED, i * 8L, x.get(JAVA_DOUBLE_UNALIGNED, (long) i * step * 8) * scale);
        }
    }

    void globalNorm(List<Tensor> xs, Tensor y) {
        Elements.require("globalNorm", DType.F32, y);
        double total = 0;
        for (Tensor x : xs) {
            Elements.require("globalNorm", DType.F32, x);
            MemorySegment data = CpuMemory.data(x);
            double[] partial = new double[Math.toIntExact(Math.ceilDiv(x.elements(), Workers.CHUNK))];
            workers.elements(x.elements(), (from, to) ->
                    partial[(int) (from / Workers.CHUNK)] = sumOfSquares(data.asSlice(from * 4, (to - from) * 4).address(), (int) (to - from)));
            for (double p : partial) {
                total += p;
            }
        }
        CpuMemory.data(y).set(JAVA_FLOAT_UNALIGNED, 0, (float) Math.sqrt(total));
    }

    private static void requireBroadcast(String kernel, Tensor small, Tensor large) {
        if (!small.shape().broadcastsTo(large.shape())) {
            throw new ShapeException(kernel + ": " + small + " must broadcast to " + large + ", got shapes that do not");
        }
    }
}
