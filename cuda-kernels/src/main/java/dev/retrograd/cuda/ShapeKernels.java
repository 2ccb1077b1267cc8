package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Launches `shape.cu`: what {@link dev.retrograd.core.ShapeKernels} asks for.
final class ShapeKernels {
    private static final String MODULE = "shape";

    private final Launcher launcher;

    ShapeKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void permute(Tensor x, int[] axes, Tensor y) {
        requireSameType("permute", x, y);
        int rank = x.shape().rank();
        long[] sizes = new long[rank];
        long[][] strides = new long[1][rank];
        boolean permutation = Arrays.equals(Arrays.stream(axes).sorted().toArray(), IntStream.range(0, rank).toArray()) && y.shape().rank() == rank;
        for (int i = 0; permutation && i < rank; i++) {
            sizes[i] = x.dim(axes[i]);
            strides[0][i] = x.shape().span(axes[i] + 1, rank);
            permutation = y.dim(i) == x.dim(axes[i]);
        }
        if (!permutation) {
            throw new ShapeException("permute: y must be x with its axes in the order " + Arrays.toString(axes) + ", got " + x + " and " + y);
        }
        launcher.arguments().i64(address(x)).i64(address(y)).i64(y.elements()).i64s(Strides.collapsed("permute", sizes, strides).struct());
        launcher.overElements(MODULE, "permute_b" + 8 * x.dtype().bytes(), y.elements());
    }

    void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        requireSameType("copySlice", x, y);
        Shape xs = x.shape();
        int at = xs.axis(axis);
        if (xs.rank() != y.shape().rank() || !xs.with(at, count).equals(y.shape().with(at, count))) {
            throw new ShapeException("copySlice: all axes but " + at + " must agree, got " + x + " and " + y);
        }
        if (xStart < 0 || count < 0 || xStart + count > xs.dim(at) || yStart < 0 || yStart + count > y.dim(at)) {
            throw new ShapeException("copySlice: entries must lie inside, got " + count + " from " + xStart + " of " + x + " to " + yStart + " of " + y);
        }
        long inner = xs.span(at + 1, xs.rank());
        long n = xs.span(0, at) * count * inner;
        launcher.arguments().i64(address(x)).i64(address(y)).i64(n).i64(xs.dim(at) * inner).i64(y.dim(at) * inner)
                .i64(xStart * inner).i64(yStart * inner).i64(count * inner);
        launcher.overElements(MODULE, "copy_slice_b" + 8 * x.dtype().bytes(), n);
    }

    private static void requireSameType(String kernel, Tensor x, Tensor y) {
        if (x.dtype() != y.dtype()) {
            throw new DTypeException(kernel + ": both must have one type, got " + x + " and " + y);
        }
    }

    void gatherRows(Tensor table, Tensor ids, Tensor y) {
        requireRows("gatherRows", table, ids, y);
        launcher.arguments().i64(address(table)).i64(address(ids)).i64(address(y)).i64(y.elements()).i64(table.dim(1));
        launcher.overElements(MODULE, "gather_rows_" + suffix(table.dtype()) + "_" + suffix(y.dtype()), y.elements());
    }

    void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        requireRows("scatterRows", dtable, ids, dy);
        launcher.arguments().i64(address(dy)).i64(address(ids)).i64(address(dtable)).i64(dtable.elements()).i64(dtable.dim(1)).i64(ids.elements());
        launcher.overElements(MODULE, "scatter_rows_" + suffix(dy.dtype()) + "_" + suffix(dtable.dtype()), dtable.elements());
    }

    private static void requireRows(String kernel, Tensor table, Tensor ids, Tensor rows) {
        Launcher.sameType(kernel, new DType[] {DType.F32, DType.F16, DType.BF16}, table);
        if (rows.dtype() != DType.F32 && rows.dtype() != table.dtype()) {
            throw new DTypeException(kernel + ": rows must be F32 or of the table's type, got " + rows + " for " + table);
        }
        Launcher.sameType(kernel, new DType[] {DType.I32}, ids);
        if (table.shape().rank() != 2 || rows.elements() != ids.elements() * table.dim(1)) {
            throw new ShapeException(kernel + ": a table [V,C] and a row of C per id are required, got " + table + ", " + ids + ", " + rows);
        }
    }
}
