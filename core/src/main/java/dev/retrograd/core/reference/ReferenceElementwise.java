package dev.retrograd.core.reference;

import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.ElementwiseKernels;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;

interface ReferenceElementwise extends ElementwiseKernels {

    @Override default void unary(Unary f, Tensor x, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        for (int i = 0; i < out.length(); i++) {
            out.set(i, Functions.value(f, in.get(i)));
        }
    }

    @Override default void unaryBackward(Unary f, Tensor x, Tensor dy, Tensor dx) {
        Values in = Values.of(x);
        Values gradient = Values.of(dy);
        Values out = Values.of(dx);
        for (int i = 0; i < out.length(); i++) {
            out.set(i, Functions.derivative(f, in.get(i)) * gradient.get(i));
        }
    }

    @Override default void binary(Binary f, Tensor a, Tensor b, Tensor y) {
        Values left = Values.of(a);
        Values right = Values.of(b);
        Values out = Values.of(y);
        int[] ofA = Values.broadcastIndices(a.shape(), y.shape());
        int[] ofB = Values.broadcastIndices(b.shape(), y.shape());
        for (int i = 0; i < out.length(); i++) {
            out.set(i, Functions.value(f, left.get(ofA[i]), right.get(ofB[i])));
        }
    }

    @Override default void linearCombination(double constant, double[] coefficients, Tensor[] xs, Tensor y) {
        Values out = Values.of(y);
        for (int i = 0; i < out.length(); i++) {
            double sum = constant;
            for (int j = 0; j < xs.length; j++) {
                sum += coefficients[j] * Values.of(xs[j]).get(i);
            }
            out.set(i, sum);
        }
    }

    @Override default void fill(Tensor y, double value) {
        Values.of(y).fill(value);
    }

    @Override default void convert(Tensor x, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        for (int i = 0; i < out.length(); i++) {
            out.set(i, rounded(in.get(i), y.dtype()));
        }
    }

    /// The nearest value of a type; as it is for those that this backend holds in float64.
    static double rounded(double value, DType to) {
        return switch (to) {
            case F64, F32 -> value;
            case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
            case BF16 -> DType.bf16ToFloat(DType.floatToBf16((float) value));
            case I64 -> (long) value;
            case I32 -> (int) value;
            case U8 -> (int) value & 0xFF;
        };
    }
}
