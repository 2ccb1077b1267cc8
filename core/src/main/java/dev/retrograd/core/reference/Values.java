package dev.retrograd.core.reference;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import java.util.Arrays;
import java.util.Objects;

/// A tensor's elements as float64; reading or writing beyond the tensor is an error even where its storage is larger.
///
/// @param single whether every value written is rounded to float32
record Values(double[] array, int start, int length, boolean single) {

    static Values of(Tensor t) {
        if (t.storage() instanceof ReferenceStorage s) {
            double[] array = s.values(t.dtype());
            return new Values(array, Math.toIntExact(t.byteOffset() / t.dtype().bytes()), Math.toIntExact(t.elements()), s.single());
        }
        throw new IllegalArgumentException("reference: " + t + " belongs to another backend");
    }

    /// What a product reads of an operand: rounded as the result is, where a naive computation's result rests in 16 bits.
    static Values operand(Tensor t, Tensor result) {
        Values v = of(t);
        if (!v.single || RoundingBackend.unitRoundoff(result.dtype()) == 0) {
            return v;
        }
        double[] rounded = new double[v.length];
        Arrays.setAll(rounded, i -> ReferenceElementwise.rounded(v.get(i), result.dtype()));
        return new Values(rounded, 0, v.length, true);
    }

    double get(long i) {
        return array[index(i)];
    }

    int getInt(long i) {
        return (int) array[index(i)];
    }

    void set(long i, double value) {
        array[index(i)] = rounded(value);
    }

    void add(long i, double value) {
        set(i, get(i) + rounded(value));
    }

    void fill(double value) {
        Arrays.fill(array, start, start + length, rounded(value));
    }

    private int index(long i) {
        return start + (int) Objects.checkIndex(i, (long) length);
    }

    /// For each element of a tensor of shape `to`, the element of a tensor of shape `from` that broadcasting puts there.
    static int[] broadcastIndices(Shape from, Shape to) {
        int rank = to.rank();
        int[] strides = new int[rank];
        int stride = 1;
        for (int axis = from.rank() - 1; axis >= 0; axis--) {
            strides[axis + rank - from.rank()] = from.dim(axis) == 1 ? 0 : stride;
            stride *= from.dim(axis);
        }
        int[] indices = new int[Math.toIntExact(to.elements())];
        for (int i = 0; i < indices.length; i++) {
            int rest = i;
            for (int axis = rank - 1; axis >= 0; axis--) {
                indices[i] += rest % to.dim(axis) * strides[axis];
                rest /= to.dim(axis);
            }
        }
        return indices;
    }

    /// An intermediate value as this tensor's backend holds it: rounded to float32 where stored values are.
    double rounded(double value) {
        return single ? (float) value : value;
    }
}
