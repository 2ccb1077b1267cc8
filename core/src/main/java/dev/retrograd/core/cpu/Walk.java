package dev.retrograd.core.cpu;

import dev.retrograd.core.Shape;
import java.util.Arrays;

/// How operands are read along a contiguous output, with as few axes as will do.
///
/// Axes that all operands cross evenly are merged: equal shapes become one axis, a row bias two, `[B,1,1,C]` against `[B,H,W,C]` three.
///
/// @param sizes of the merged axes, outermost first; at least one
/// @param strides per operand and axis, in elements; 0 where it is repeated
record Walk(int[] sizes, long[][] strides) {

    /// Operands along an output that they broadcast to.
    static Walk of(Shape out, Shape... operands) {
        int rank = out.rank();
        long[][] strides = new long[operands.length][rank];
        for (int o = 0; o < operands.length; o++) {
            for (int axis = 0; axis < rank; axis++) {
                strides[o][axis] = stride(operands[o], axis - (rank - operands[o].rank()));
            }
        }
        return merged(out.toArray(), strides);
    }

    /// The one operand x along an output whose axis i is x's axis `axes[i]`.
    static Walk permuted(Shape x, int[] axes) {
        int[] sizes = new int[axes.length];
        long[] strides = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            sizes[i] = x.dim(axes[i]);
            strides[i] = x.span(axes[i] + 1, x.rank());
        }
        return merged(sizes, new long[][] {strides});
    }

    private static Walk merged(int[] sizes, long[][] strides) {
        int[] mergedSizes = new int[sizes.length + 1];
        long[][] mergedStrides = new long[strides.length][sizes.length + 1];
        int axes = 0;
        for (int axis = 0; axis < sizes.length; axis++) {
            int size = sizes[axis];
            if (size == 1) {
                continue;
            }
            if (axes > 0 && mergeable(mergedStrides, axes - 1, strides, axis, size) && (long) mergedSizes[axes - 1] * size <= Integer.MAX_VALUE) {
                axes--;
                size *= mergedSizes[axes];
            }
            mergedSizes[axes] = size;
            for (int o = 0; o < strides.length; o++) {
                mergedStrides[o][axes] = strides[o][axis];
            }
            axes++;
        }
        if (axes == 0) {
            mergedSizes[axes++] = 1;
        }
        int used = axes;
        return new Walk(Arrays.copyOf(mergedSizes, used), Arrays.stream(mergedStrides).map(s -> Arrays.copyOf(s, used)).toArray(long[][]::new));
    }

    private static long stride(Shape operand, int axis) {
        return axis < 0 || operand.dim(axis) == 1 ? 0 : operand.span(axis + 1, operand.rank());
    }

    private static boolean mergeable(long[][] outer, int outerAxis, long[][] inner, int innerAxis, int innerSize) {
        for (int o = 0; o < inner.length; o++) {
            if (outer[o][outerAxis] != inner[o][innerAxis] * innerSize) {
                return false;
            }
        }
        return true;
    }

    int axes() {
        return sizes.length;
    }

    /// Size of the innermost axis.
    int length() {
        return sizes[sizes.length - 1];
    }

    /// Stride of an operand along the innermost axis.
    long step(int operand) {
        return strides[operand][sizes.length - 1];
    }

    /// How often the innermost axis is walked: the product of the other sizes.
    long rows() {
        long n = 1;
        for (int i = 0; i < sizes.length - 1; i++) {
            n *= sizes[i];
        }
        return n;
    }

    /// Where an operand's part of a row begins, in elements.
    long offset(int operand, long row) {
        long offset = 0;
        long rest = row;
        for (int i = sizes.length - 2; i >= 0; i--) {
            offset += rest % sizes[i] * strides[operand][i];
            rest /= sizes[i];
        }
        return offset;
    }

    /// The output's stride along one of its axes.
    long outputStride(int axis) {
        long stride = 1;
        for (int i = axis + 1; i < sizes.length; i++) {
            stride *= sizes[i];
        }
        return stride;
    }

    /// The row at entry 0 of `axis`, of the `index`-th choice of the other outer axes.
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
