package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Kernels that move elements.
final class CpuShape {
    /// Side of the square in which a transposition stays, so that both its lines and its columns are in the cache.
    private static final int TILE = 32;
    private static final int MAX_RANK = 6;

    private final Workers workers;

    CpuShape(Workers workers) {
        this.workers = workers;
    }

    void permute(Tensor x, int[] axes, Tensor y) {
        requirePermutation(x, axes, y);
        if (x.elements() == 0) {
            return;
        }
        int bytes = x.dtype().bytes();
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.data(y);
        Walk walk = Walk.permuted(x.shape(), axes);
        int inner = walk.length();
        if (walk.step(0) <= 1) {
            workers.rows(x.elements() / inner, inner, (from, to) -> {
                for (long row = from; row < to; row++) {
                    MemorySegment.copy(xs, walk.offset(0, row) * bytes, ys, row * inner * bytes, (long) inner * bytes);
                }
            });
            return;
        }
        int across = contiguousAxis(walk);
        long columns = walk.sizes()[across];
        long yStride = walk.outputStride(across);
        long xStride = walk.step(0);
        long tiles = Math.ceilDiv(columns, TILE);
        workers.rows(x.elements() / inner / columns * tiles, (long) TILE * inner, (from, to) -> {
            for (long i = from; i < to; i++) {
                long row = walk.rowWithout(across, i / tiles);
                long first = i % tiles * TILE;
                int count = (int) Math.min(TILE, columns - first);
                long xAt = walk.offset(0, row) + first;
                long yAt = row * inner + first * yStride;
                for (int j = 0; j < inner; j += TILE) {
                    transpose(xs, xAt + j * xStride, xStride, ys, yAt + j, yStride, count, Math.min(TILE, inner - j), bytes);
                }
            }
        });
    }

    /// The output axis along which the input is contiguous.
    private static int contiguousAxis(Walk walk) {
        for (int i = 0; i < walk.axes(); i++) {
            if (walk.strides()[0][i] == 1) {
                return i;
            }
        }
        throw new AssertionError("a permutation keeps the innermost axis");
    }

    /// `y[c, r] = x[r, c]` for c below `columns` and r below `rows`; places and strides in elements.
    private static void transpose(MemorySegment x, long xAt, long xStride, MemorySegment y, long yAt, long yStride, int columns, int rows, int bytes) {
        for (int c = 0; c < columns; c++) {
            long from = (xAt + c) * bytes;
            long to = (yAt + c * yStride) * bytes;
            switch (bytes) {
                case 1 -> {
                    for (int r = 0; r < rows; r++) {
                        y.set(JAVA_BYTE, to + r, x.get(JAVA_BYTE, from + r * xStride));
                    }
                }
                case 2 -> {
                    for (int r = 0; r < rows; r++) {
                        y.set(JAVA_SHORT_UNALIGNED, to + r * 2L, x.get(JAVA_SHORT_UNALIGNED, from + r * xStride * 2));
                    }
                }
                case 4 -> {
                    for (int r = 0; r < rows; r++) {
                        y.set(JAVA_INT_UNALIGNED, to + r * 4L, x.get(JAVA_INT_UNALIGNED, from + r * xStride * 4));
                    }
                }
                default -> {
                    for (int r = 0; r < rows; r++) {
                        y.set(JAVA_LONG_UNALIGNED, to + r * 8L, x.get(JAVA_LONG_UNALIGNED, from + r * xStride * 8));
                    }
                }
            }
        }
    }

    private static void requirePermutation(Tensor x, int[] axes, Tensor y) {
        int rank = x.shape().rank();
        int[] sorted = axes.clone();
        Arrays.sort(sorted);
        boolean fits = rank <= MAX_RANK && axes.length == rank && y.shape().rank() == rank && y.dtype() == x.dtype();
        for (int i = 0; fits && i < rank; i++) {
            fits = sorted[i] == i && y.dim(i) == x.dim(axes[i]);
        }
        if (!fits) {
            throw new ShapeException("permute: axes must be an order of x's " + rank + " (" + MAX_RANK + " at most) and y must have them in it, got "
                    + Arrays.toString(axes) + " for " + x + " to " + y);
        }
    }

    void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        int a = x.shape().axis(axis);
        int rank = x.shape().rank();
        boolean fits = y.dtype() == x.dtype() && y.shape().rank() == rank && xStart >= 0 && yStart >= 0 && count >= 0
                && xStart + (long) count <= x.dim(a) && yStart + (long) count <= y.dim(a);
        for (int i = 0; fits && i < rank; i++) {
            fits = i == a || x.dim(i) == y.dim(i);
        }
        if (!fits) {
            throw new ShapeException("copySlice: entries " + xStart + ".." + (xStart + count) + " of axis " + a + " of " + x + " must fit into " + y + " from " + yStart + " on");
        }
        int bytes = x.dtype().bytes();
        long inner = x.shape().span(a + 1, rank) * bytes;
        long outer = x.shape().span(0, a);
        long run = count * inner;
        long xRow = x.dim(a) * inner;
        long yRow = y.dim(a) * inner;
        MemorySegment xs = CpuMemory.data(x);
        MemorySegment ys = CpuMemory.data(y);
        long piece = Math.max(1, Math.min(run, Workers.CHUNK * 4));
        long pieces = Math.ceilDiv(run, piece);
        workers.rows(outer * pieces, Math.ceilDiv(piece, 4), (from, to) -> {
            for (long i = from; i < to; i++) {
                long row = i / pieces;
                long at = i % pieces * piece;
                MemorySegment.copy(xs, row * xRow + xStart * inner + at, ys, row * yRow + yStart * inner + at, Math.min(piece, run - at));
            }
        });
    }

    void gatherRows(Tensor table, Tensor ids, Tensor y) {
        int channels = requireRows("gatherRows", table, ids, y);
        DType from = table.dtype();
        DType to = y.dtype();
        if (from != to && !(to == DType.F32 && (from == DType.F16 || from == DType.BF16))) {
            throw new DTypeException("gatherRows: y must be of the table's type, or F32 for a 16-bit table, got " + table + " and " + y);
        }
        int[] rows = rowNumbers("gatherRows", ids, table.dim(0));
        MemorySegment ts = CpuMemory.data(table);
        MemorySegment ys = CpuMemory.data(y);
        workers.rows(rows.length, channels, (first, last) -> {
            for (int i = (int) first; i < last; i++) {
                CpuElementwise.convert(from, ts.asSlice((long) rows[i] * channels * from.bytes(), (long) channels * from.bytes()),
                        to, ys.asSlice((long) i * channels * to.bytes(), (long) channels * to.bytes()), channels);
            }
        });
    }

    void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        int channels = requireRows("scatterRows", dtable, ids, dy);
        Elements.require("scatterRows", DType.F32, dy);
        Elements.require("scatterRows", DType.F32, dtable);
        int[] rows = rowNumbers("scatterRows", ids, dtable.dim(0));
        MemorySegment ds = CpuMemory.data(dy);
        MemorySegment ts = CpuMemory.result(dtable);
        ts.fill((byte) 0);
        for (int i = 0; i < rows.length; i++) {
            addRow(ds.asSlice((long) i * channels * 4, channels * 4L).address(), ts.asSlice((long) rows[i] * channels * 4, channels * 4L).address(), channels);
        }
    }

    private static void addRow(long x, long y, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            Vectors.store(y, i, Vectors.load(y, i).add(Vectors.load(x, i)));
        }
        for (; i < n; i++) {
            ALL.set(JAVA_FLOAT_UNALIGNED, y + i * 4L, ALL.get(JAVA_FLOAT_UNALIGNED, y + i * 4L) + ALL.get(JAVA_FLOAT_UNALIGNED, x + i * 4L));
        }
    }

    private static int requireRows(String kernel, Tensor table, Tensor ids, Tensor rows) {
        Elements.require(kernel, DType.I32, ids);
        if (table.shape().rank() != 2 || rows.shape().channels() != table.dim(1) || rows.shape().rows() != ids.elements()) {
            throw new ShapeException(kernel + ": a table [V,C], ids and rows [ids,C] are required, got " + table + ", " + ids + " and " + rows);
        }
        return table.dim(1);
    }

    private static int[] rowNumbers(String kernel, Tensor ids, int rows) {
        int[] numbers = CpuMemory.data(ids).toArray(JAVA_INT_UNALIGNED);
        for (int i = 0; i < numbers.length; i++) {
            if (numbers[i] < 0 || numbers[i] >= rows) {
                throw new IllegalArgumentException(kernel + ": ids must be 0.." + (rows - 1) + ", got " + numbers[i] + " at " + i + " of '" + ids.name() + "'");
            }
        }
        return numbers;
    }
}
