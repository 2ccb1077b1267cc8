package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Resamples images `[B,H,W,C]` to `[B,height,width,C]`. Parity: torch interpolate (align_corners=False), torchvision Resize on tensors.
public record Resize(Resampling how, int height, int width) implements Op<Resize.Saved> {

    public record Saved(Spec x) {
    }

    /// @throws IllegalArgumentException unless both sizes are 1 or more
    public Resize {
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException("resize: height and width must be 1 or more, got " + height + "×" + width);
        }
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.shape(x.shape().rank() == 4, name(), "x must be [B,H,W,C]", x);
        return x.with(Shape.of(x.shape().dim(0), height, width, x.shape().dim(3)));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(in[0].spec()));
        b.resize(how, in[0], y);
        return new Out<>(y, needs.of(0) ? new Saved(in[0].spec()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.empty("dx", s.x());
        b.resizeBackward(how, dy, dx);
        return new Tensor[] {dx};
    }
}
