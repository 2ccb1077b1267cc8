package dev.retrograd.autograd;

import dev.retrograd.autograd.op.BinaryOp;
import dev.retrograd.autograd.op.Convert;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.Reshape;
import dev.retrograd.autograd.op.UnaryOp;
import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;

/// A tensor on a {@link Tape}: what models compute with. Immutable; it does not own its tensor.
public final class Var {
    private final Tape tape;
    private final Tensor value;
    private final boolean requiresGrad;
    final Frame frame;
    /// Where gradients of it add up: itself, or the parameter that it stands for.
    final Object slot;

    Var(Tape tape, Tensor value, boolean requiresGrad, Frame frame) {
        this.tape = tape;
        this.value = value;
        this.requiresGrad = requiresGrad;
        this.frame = frame;
        slot = this;
    }

    Var(Tape tape, Parameter parameter, Frame frame) {
        this.tape = tape;
        value = parameter.value();
        requiresGrad = parameter.trainable();
        this.frame = frame;
        slot = parameter;
    }

    public Tape tape() {
        return tape;
    }

    public Tensor value() {
        return value;
    }

    public Spec spec() {
        return value.spec();
    }

    public Shape shape() {
        return value.shape();
    }

    public int dim(int axis) {
        return value.dim(axis);
    }

    /// Whether a gradient of it is wanted, for its own sake or on the way to a parameter.
    public boolean requiresGrad() {
        return requiresGrad;
    }

    /// The same tensor, cut off: no gradient passes.
    public Var detach() {
        return tape.constant(value);
    }

    /// Applies an operator to this and further inputs.
    public Var apply(Op<?> op, Var... others) {
        Var[] in = new Var[others.length + 1];
        in[0] = this;
        System.arraycopy(others, 0, in, 1, others.length);
        return tape.apply(op, in);
    }

    /// Elementwise sum, with broadcasting.
    public Var plus(Var other) {
        return apply(new BinaryOp(Binary.ADD), other);
    }

    /// Elementwise difference, with broadcasting.
    public Var minus(Var other) {
        return apply(new BinaryOp(Binary.SUB), other);
    }

    /// Elementwise product, with broadcasting.
    public Var times(Var other) {
        return apply(new BinaryOp(Binary.MUL), other);
    }

    /// Elementwise quotient, with broadcasting.
    public Var dividedBy(Var other) {
        return apply(new BinaryOp(Binary.DIV), other);
    }

    /// `scale·x + shift`
    public Var affine(double scale, double shift) {
        return apply(new LinearCombination(shift, scale));
    }

    /// The same values in another floating type; itself where it has that type.
    public Var to(DType dtype) {
        return value.dtype() == dtype ? this : apply(new Convert(dtype));
    }

    public Var apply(Unary f) {
        return apply(new UnaryOp(f));
    }

    /// The same elements in another shape; no copy.
    public Var reshape(int... dims) {
        return apply(new Reshape(Shape.of(dims)));
    }

    @Override public String toString() {
        return value + (requiresGrad ? " requires grad" : "");
    }
}
