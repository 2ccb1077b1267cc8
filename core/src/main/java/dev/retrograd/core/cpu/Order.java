package dev.retrograd.core.cpu;

import dev.retrograd.core.Tensor;

/// How a permutation's output is walked, with axes merged that stay neighbours and those of size 1 left out.
///
/// @param sizes of the output's axes, outermost first; at least one
/// @param strides of the input along them, in elements
record Order(int[] sizes, long[] strides) {

    static Order of(Tensor x, int[] axes) {
        int[] sizes = new int[axes.length + 1];
        long[] strides = new long[axes.length + 1];
        int n = 0;
        for (int axis : axes) {
            int size = x.dim(axis);
            if (size == 1) {
                continue;
            }
            long stride = x.shape().span(axis + 1, x.shape().rank());
            if (n > 0 && strides[n - 1] == stride * size && (long) sizes[n - 1] * size <= Integer.MAX_VALUE) {
                n--;
                size *= sizes[n];
            }
            sizes[n] = size;
            strides[n++] = stride;
        }
        if (n == 0) {
            sizes[n] = 1;
            strides[n++] = 1;
        }
        return new Order(java.util.Arrays.copyOf(sizes, n), java.util.Arrays.copyOf(strides, n));
    }

    /// Size of the output's innermost axis.
    int length() {
        return sizes[sizes.length - 1];
    }

    /// The input's stride along the output's innermost axis.
    long innerStride() {
        return strides[sizes.length - 1];
    }

    /// The output axis along which the input is contiguous.
    int contiguousAxis() {
        for (int i = 0; i < strides.length; i++) {
            if (strides[i] == 1) {
                return i;
            }
        }
        throw new AssertionError("a permutation keeps the innermost axis");
    }

    /// The output's stride along one of its axes.
    long outputStride(int axis) {
        long stride = 1;
        for (int i = axis + 1; i < sizes.length; i++) {
            stride *= sizes[i];
        }
        return stride;
    }

    /// Where the input's part of a row of the output begins; rows are numbered over all axes but the innermost.
    long offset(long row) {
        long offset = 0;
        long rest = row;
        for (int i = sizes.length - 2; i >= 0; i--) {
            offset += rest % sizes[i] * strides[i];
            rest /= sizes[i];
        }
        return offset;
    }

    /// The row number at entry 0 of `axis`, of the `index`-th choice of the other outer axes.
    long rowWithout(int axis, long index) {
        long row = 0;
        long rest = index;
        long weight = 1;
        for (int i = sizes.length - 2; i >= 0; i--) {
            if (i != axis) {
                row += rest % sizes[i] * weight;
                rest /= sizes[i];
            }
            weight *= sizes[i];
        }
        return row;
    }
}
