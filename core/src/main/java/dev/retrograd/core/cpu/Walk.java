package dev.retrograd.core.cpu;

import dev.retrograd.core.Shape;
import java.util.Arrays;

/// How operands are read along an output that they broadcast to, with as few axes as will do.
///
/// Axes that all operands cross evenly are merged: equal shapes become one axis, a row bias two, `[B,1,1,C]` against `[B,H,W,C]` three.
///
/// @param sizes of the merged axes, outermost first; at least one
/// @param strides per operand and axis, in elements; 0 where it is repeated
record Walk(int[] sizes, long[][] strides) {

    static Walk of(Shape out, Shape... operands) {
        int rank = out.rank();
        int[] sizes = new int[rank + 1];
        long[][] strides = new long[operands.length][rank + 1];
        long[] next = new long[operands.length];
        int axes = 0;
        for (int axis = 0; axis < rank; axis++) {
            int size = out.dim(axis);
            if (size == 1) {
                continue;
            }
            for (int o = 0; o < operands.length; o++) {
                next[o] = stride(operands[o], axis - (rank - operands[o].rank()));
            }
            if (axes > 0 && mergeable(strides, next, axes - 1, size) && (long) sizes[axes - 1] * size <= Integer.MAX_VALUE) {
                axes--;
                size *= sizes[axes];
            }
            sizes[axes] = size;
            for (int o = 0; o < operands.length; o++) {
                strides[o][axes] = next[o];
            }
            axes++;
        }
        if (axes == 0) {
            sizes[axes++] = 1;
        }
        int used = axes;
        return new Walk(Arrays.copyOf(sizes, used), Arrays.stream(strides).map(s -> Arrays.copyOf(s, used)).toArray(long[][]::new));
    }

    private static long stride(Shape operand, int axis) {
        return axis < 0 || operand.dim(axis) == 1 ? 0 : operand.span(axis + 1, operand.rank());
    }

    private static boolean mergeable(long[][] strides, long[] inner, int outerAxis, int innerSize) {
        for (int o = 0; o < inner.length; o++) {
            if (strides[o][outerAxis] != inner[o] * innerSize) {
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

    /// Stride of an operand along the innermost axis: 1, or 0 where it is repeated.
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
}
