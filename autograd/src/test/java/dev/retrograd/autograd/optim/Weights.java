package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;

/// Parameters and gradients of given values.
final class Weights {
    private Weights() {
    }

    static Parameter trainable(Backend b, String name, Shape shape, float... values) {
        try (Scope _ = b.memory().open("load")) {
            return new Parameter(name, b.floats(name, shape, values), true);
        }
    }

    static Parameter trainable(Backend b, String name, float... values) {
        return trainable(b, name, Shape.of(values.length), values);
    }

    static float[] values(Backend b, Parameter p) {
        return b.toFloats(p.value());
    }

    /// Adds a gradient to a parameter.
    static void differentiate(Backend b, Parameter p, Gradients gradients, float... gradient) {
        try (Scope _ = b.memory().open("pass"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            tape.backward(tape.parameter(p), b.floats("gradient", p.spec().shape(), gradient), gradients);
        }
    }
}
