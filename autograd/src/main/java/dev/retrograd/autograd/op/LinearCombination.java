package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// `y = constant + Σ coefficientᵢ·xᵢ` over inputs of one shape: guidance, the DDIM update, affine maps. Saves nothing.
public record LinearCombination(double constant, double... coefficients) implements Op<Op.Nothing> {

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), coefficients.length, in);
        for (Spec s : in) {
            Check.floating(name(), s);
            Check.shape(s.equals(in[0]), name(), "all inputs must be " + in[0], s);
        }
        return in[0];
    }

    @Override public Out<Nothing> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(b.linearCombination(constant, coefficients, in), null);
    }

    @Override public Tensor[] backward(Backend b, Nothing s, Tensor dy, Needs needs) {
        Tensor[] dx = new Tensor[coefficients.length];
        for (int i = 0; i < dx.length; i++) {
            if (needs.of(i)) {
                dx[i] = coefficients[i] == 1 ? dy : b.scaled(dy, coefficients[i]);
            }
        }
        return dx;
    }

    @Override public boolean equals(Object o) {
        return o instanceof LinearCombination(double c, double[] k) && c == constant && Arrays.equals(k, coefficients);
    }

    @Override public int hashCode() {
        return Double.hashCode(constant) * 31 + Arrays.hashCode(coefficients);
    }
}
