package dev.retrograd.core.reference;

import dev.retrograd.core.ReductionKernels;
import dev.retrograd.core.Tensor;
import java.util.List;

interface ReferenceReductions extends ReductionKernels {

    @Override default void sumTo(Tensor x, double scale, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        int[] target = Values.broadcastIndices(y.shape(), x.shape());
        out.fill(0);
        for (int i = 0; i < in.length(); i++) {
            out.add(target[i], in.get(i));
        }
        for (int i = 0; i < out.length(); i++) {
            out.set(i, scale * out.get(i));
        }
    }

    @Override default void broadcastTo(Tensor x, double scale, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        int[] source = Values.broadcastIndices(x.shape(), y.shape());
        for (int i = 0; i < out.length(); i++) {
            out.set(i, scale * in.get(source[i]));
        }
    }

    @Override default void globalNorm(List<Tensor> xs, Tensor y) {
        double sum = 0;
        for (Tensor x : xs) {
            Values in = Values.of(x);
            for (int i = 0; i < in.length(); i++) {
                sum += in.get(i) * in.get(i);
            }
        }
        Values.of(y).set(0, Math.sqrt(sum));
    }
}
