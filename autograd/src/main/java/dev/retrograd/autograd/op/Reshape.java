package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// The same elements in another shape; a view, forward and backward.
public record Reshape(Shape shape) implements Op<Reshape.Saved> {

    public record Saved(Shape x) {
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.shape(x.shape().elements() == shape.elements(), name(), shape + " must have as many elements as the input", x);
        return x.with(shape);
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(in[0].reshape(shape), needs.of(0) ? new Saved(in[0].shape()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        return new Tensor[] {dy.reshape(s.x())};
    }
}
