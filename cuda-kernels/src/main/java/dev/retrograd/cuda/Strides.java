package dev.retrograd.cuda;

import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import java.util.Arrays;

/// How tensors are walked together: common sizes, outermost first, and a stride per tensor and axis (0 where it repeats itself). Axes that
/// lie one after the other in all tensors are one axis, axes of size 1 are none.
///
/// @param strides per tensor, per axis
record Strides(int rank, long[] sizes, long[][] strides) {
    /// Axes that kernels take.
    static final int MAX_RANK = 6;

    /// Several shapes broadcast to a common one.
    static Strides broadcast(String kernel, Shape to, Shape... shapes) {
        int rank = to.rank();
        long[] sizes = Arrays.stream(to.toArray()).asLongStream().toArray();
        long[][] strides = new long[shapes.length][rank];
        for (int t = 0; t < shapes.length; t++) {
            Shape s = shapes[t];
            long stride = 1;
            for (int i = s.rank() - 1; i >= 0; i--) {
                int at = i + rank - s.rank();
                strides[t][at] = s.dim(i) == 1 ? 0 : stride;
                stride *= s.dim(i);
            }
        }
        return collapsed(kernel, sizes, strides);
    }

    /// @throws ShapeException if more than six axes remain
    static Strides collapsed(String kernel, long[] sizes, long[][] strides) {
        long[] outSizes = new long[sizes.length];
        long[][] outStrides = new long[strides.length][sizes.length];
        int rank = 0;
        for (int i = 0; i < sizes.length; i++) {
            if (sizes[i] == 1) {
                continue;
            }
            boolean joins = rank > 0;
            for (long[] s : strides) {
                joins = joins && lastOf(s, i, sizes) == s[i] * sizes[i];
            }
            int at = joins ? rank - 1 : rank++;
            outSizes[at] = joins ? outSizes[at] * sizes[i] : sizes[i];
            for (int t = 0; t < strides.length; t++) {
                outStrides[t][at] = strides[t][i];
            }
        }
        if (rank > MAX_RANK) {
            throw new ShapeException(kernel + ": at most " + MAX_RANK + " axes remain after joining, got " + rank);
        }
        int kept = rank;
        return new Strides(kept, Arrays.copyOf(outSizes, kept), Arrays.stream(outStrides).map(s -> Arrays.copyOf(s, kept)).toArray(long[][]::new));
    }

    /// Stride of the nearest outer axis that is not of size 1.
    private static long lastOf(long[] strides, int axis, long[] sizes) {
        for (int i = axis - 1; i >= 0; i--) {
            if (sizes[i] != 1) {
                return strides[i];
            }
        }
        return -1;
    }

    /// Whether every tensor is walked from its first element to its last.
    boolean contiguous() {
        return rank == 0 || rank == 1 && Arrays.stream(strides).allMatch(s -> s[0] == 1);
    }

    /// The struct that kernels take: rank, sizes, then strides per tensor, all 64-bit and padded to six axes.
    long[] struct() {
        long[] fields = new long[1 + MAX_RANK * (1 + strides.length)];
        fields[0] = rank;
        System.arraycopy(sizes, 0, fields, 1, rank);
        for (int t = 0; t < strides.length; t++) {
            System.arraycopy(strides[t], 0, fields, 1 + MAX_RANK * (1 + t), rank);
        }
        return fields;
    }
}
