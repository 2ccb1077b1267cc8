package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Op;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;

/// One input of given values, for cases worked out by hand.
record Gradients1(Shape shape, double... values) {

    /// The input's gradient and the result of an operator, for a given gradient of the result.
    double[][] through(Op<?> op, double... dy) {
        try (ReferenceBackend b = new ReferenceBackend(); Tape tape = new Tape(b, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(b)) {
            Var x = tape.input(b.doubles("x", shape, values));
            Var y = x.apply(op);
            Tensor d = b.doubles("dy", y.shape(), dy);
            tape.backward(y, d, gradients);
            return new double[][] {b.toDoubles(gradients.of(x).orElseThrow()), b.toDoubles(y.value())};
        }
    }
}
