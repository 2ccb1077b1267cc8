package dev.retrograd.autograd;

import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// A weight: a named tensor that lives outside the scopes of training, frozen or trainable.
///
/// It holds its tensor until {@link #close()}.
public final class Parameter implements AutoCloseable {
    private final String name;
    private Tensor value;
    private final Shape fileShape;
    private boolean trainable;
    private boolean closed;

    /// @param name as the ecosystem's files call it, e.g. `down_blocks.0.resnets.0.conv1.weight`
    /// @param fileShape as the ecosystem's files shape it: `[O,I,Kh,Kw]` for a convolution that lives here as `[O,Kh,Kw,I]`
    public Parameter(String name, Tensor value, Shape fileShape, boolean trainable) {
        this.name = name;
        this.value = value;
        this.fileShape = fileShape;
        this.trainable = trainable;
        value.storage().retain();
    }

    /// A parameter that files shape as it is here.
    public Parameter(String name, Tensor value, boolean trainable) {
        this(name, value, value.shape(), trainable);
    }

    public String name() {
        return name;
    }

    public Tensor value() {
        return value;
    }

    /// Puts another tensor in the place of its value, for what is recorded from now on, and lets go of the old one.
    ///
    /// @throws ShapeException if the shapes differ
    public void value(Tensor next) {
        if (!next.shape().equals(value.shape())) {
            throw new ShapeException("parameter '" + name + "': its value must be " + value.shape() + ", got " + next.shape());
        }
        next.storage().retain();
        value.storage().release("replacing the value of parameter '" + name + "'");
        value = next;
    }

    public Spec spec() {
        return value.spec();
    }

    /// Shape in the ecosystem's files; rank 4 with a kernel beyond 1×1 means `[O,I,Kh,Kw]` there and `[O,Kh,Kw,I]` here.
    public Shape fileShape() {
        return fileShape;
    }

    public boolean trainable() {
        return trainable;
    }

    /// Freezes or unfreezes it for what is recorded from now on.
    public void trainable(boolean on) {
        trainable = on;
    }

    @Override public void close() {
        if (!closed) {
            closed = true;
            value.storage().release("closing parameter '" + name + "'");
        }
    }

    @Override public String toString() {
        return "'" + name + "' " + value.spec() + (trainable ? " trainable" : "");
    }
}
