package dev.retrograd.core.reference;

import dev.retrograd.core.ShapeKernels;
import dev.retrograd.core.Tensor;

interface ReferenceShapes extends ShapeKernels {

    @Override default void permute(Tensor x, int[] axes, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        for (int i = 0; i < out.length(); i++) {
            int rest = i;
            long from = 0;
            for (int axis = axes.length - 1; axis >= 0; axis--) {
                from += rest % y.dim(axis) * x.shape().span(axes[axis] + 1, axes.length);
                rest /= y.dim(axis);
            }
            out.set(i, in.get(from));
        }
    }

    @Override default void copySlice(Tensor x, int axis, int xStart, Tensor y, int yStart, int count) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        int a = x.shape().axis(axis);
        long outer = x.shape().span(0, a);
        long inner = x.shape().span(a + 1, x.shape().rank());
        for (long o = 0; o < outer; o++) {
            for (int j = 0; j < count; j++) {
                for (long i = 0; i < inner; i++) {
                    out.set((o * y.dim(a) + yStart + j) * inner + i, in.get((o * x.dim(a) + xStart + j) * inner + i));
                }
            }
        }
    }

    @Override default void gatherRows(Tensor table, Tensor ids, Tensor y) {
        Values rows = Values.of(table);
        Values id = Values.of(ids);
        int width = table.dim(1);
        for (int i = 0; i < id.length(); i++) {
            for (int c = 0; c < width; c++) {
                Values.of(y).set(i * width + c, rows.get((long) id.getInt(i) * width + c));
            }
        }
    }

    @Override default void scatterRows(Tensor dy, Tensor ids, Tensor dtable) {
        Values id = Values.of(ids);
        Values out = Values.of(dtable);
        int width = dtable.dim(1);
        out.fill(0);
        for (int i = 0; i < id.length(); i++) {
            for (int c = 0; c < width; c++) {
                out.add((long) id.getInt(i) * width + c, Values.of(dy).get(i * width + c));
            }
        }
    }
}
