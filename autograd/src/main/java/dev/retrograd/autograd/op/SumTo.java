package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// `scale · sum` over the axes along which `shape` would broadcast to x's: `[]` gives the total, `[B,1,1,1]` a sum per image.
public record SumTo(Shape shape, double scale) implements Op<SumTo.Saved> {

    public record Saved(Spec x) {
    }

    /// The sum of all elements, `[]`.
    public static SumTo all() {
        return new SumTo(Shape.of(), 1);
    }

    /// The mean over all axes that `shape` leaves out of a tensor of shape `x`.
    public static SumTo mean(Shape x, Shape shape) {
        return new SumTo(shape, (double) shape.elements() / x.elements());
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.floating(name(), x);
        Check.shape(shape.broadcastsTo(x.shape()), name(), shape + " must broadcast to the input", x);
        return x.with(shape);
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(b.sumTo(in[0], scale, shape), needs.of(0) ? new Saved(in[0].spec()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        return new Tensor[] {b.broadcastTo(dy, scale, s.x().shape())};
    }
}
