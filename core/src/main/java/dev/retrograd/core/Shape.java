package dev.retrograd.core;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Sizes of a tensor's axes, outermost first; rows are contiguous in the last axis.
///
/// Rank 0 is a scalar of one element. A size may be 0.
public final class Shape {
    private final int[] dims;

    private Shape(int[] dims) {
        this.dims = dims;
    }

    /// The shape with these sizes.
    ///
    /// @throws ShapeException if a size is negative
    public static Shape of(int... dims) {
        for (int d : dims) {
            if (d < 0) {
                throw new ShapeException("shape: sizes must be 0 or more, got " + Arrays.toString(dims));
            }
        }
        return new Shape(dims.clone());
    }

    public int rank() {
        return dims.length;
    }

    /// Size of an axis; negative axes count from the last one.
    ///
    /// @throws ShapeException if there is no such axis
    public int dim(int axis) {
        return dims[axis(axis)];
    }

    /// The axis counted from the first one; negative axes count from the last one.
    ///
    /// @throws ShapeException if there is no such axis
    public int axis(int axis) {
        int a = axis < 0 ? axis + dims.length : axis;
        if (a < 0 || a >= dims.length) {
            throw new ShapeException("shape: axis must be -" + dims.length + ".." + (dims.length - 1) + " for " + this + ", got " + axis);
        }
        return a;
    }

    /// Number of elements: the product of all sizes.
    public long elements() {
        return span(0, dims.length);
    }

    /// Number of rows: the product of all sizes but the last.
    public long rows() {
        return dims.length == 0 ? 1 : span(0, dims.length - 1);
    }

    /// Size of the last axis; 1 for a scalar.
    public int channels() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /// Product of the sizes of axes `from` (inclusive) to `to` (exclusive).
    public long span(int from, int to) {
        long n = 1;
        for (int i = from; i < to; i++) {
            n *= dims[i];
        }
        return n;
    }

    /// The same shape with one axis resized.
    public Shape with(int axis, int size) {
        int[] d = dims.clone();
        d[axis(axis)] = size;
        return of(d);
    }

    public int[] toArray() {
        return dims.clone();
    }

    /// The shape that NumPy broadcasting gives these two.
    ///
    /// @throws ShapeException if an axis differs and neither size is 1
    public static Shape broadcast(Shape a, Shape b) {
        int rank = Math.max(a.rank(), b.rank());
        int[] out = new int[rank];
        for (int i = 0; i < rank; i++) {
            int da = i < rank - a.rank() ? 1 : a.dims[i - rank + a.rank()];
            int db = i < rank - b.rank() ? 1 : b.dims[i - rank + b.rank()];
            if (da != db && da != 1 && db != 1) {
                throw new ShapeException("broadcast: sizes must agree or be 1, got " + a + " and " + b);
            }
            out[i] = da == 1 ? db : da;
        }
        return new Shape(out);
    }

    /// Whether a tensor of this shape broadcasts to `target` without changing `target`.
    public boolean broadcastsTo(Shape target) {
        return rank() <= target.rank() && IntStream.range(0, rank())
                .allMatch(i -> dims[i] == 1 || dims[i] == target.dims[i + target.rank() - rank()]);
    }

    @Override public boolean equals(Object o) {
        return o instanceof Shape s && Arrays.equals(dims, s.dims);
    }

    @Override public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /// As messages show it: `[2,64,64,8]`.
    @Override public String toString() {
        return Arrays.stream(dims).mapToObj(Integer::toString).collect(Collectors.joining(",", "[", "]"));
    }
}
