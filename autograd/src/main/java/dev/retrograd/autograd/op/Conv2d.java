package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Convolution of channels-last images: x `[B,H,W,I]`, w `[O,Kh,Kw,I]`, bias `[O]` (optional third input), y `[B,Ho,Wo,O]`.
///
/// Parity: torch.nn.functional.conv2d.
public record Conv2d(ConvSpec geometry) implements Op<Conv2d.Saved> {

    public record Saved(Tensor x, Tensor w, Spec xSpec, Spec wSpec) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 2, 3, in);
        Shape x = in[0].shape();
        Shape w = in[1].shape();
        Check.shape(x.rank() == 4, name(), "x must be [B,H,W,C]", in[0]);
        Check.shape(w.rank() == 4 && w.dim(1) == geometry.kernelHeight() && w.dim(2) == geometry.kernelWidth(), name(),
                "weight must be [out," + geometry.kernelHeight() + "," + geometry.kernelWidth() + ",in]", in[1]);
        Check.shape(x.dim(3) == w.dim(3), name(), "weight " + w + " takes " + w.dim(3) + " input channels", "x " + x);
        if (in.length == 3) {
            Check.vector(name(), "bias", w.dim(0), in[2]);
        }
        return in[0].with(Shape.of(x.dim(0), geometry.outHeight(x.dim(1)), geometry.outWidth(x.dim(2)), w.dim(0)));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(Arrays.stream(in).map(Tensor::spec).toArray(Spec[]::new)));
        if (in.length == 3) {
            b.conv2d(geometry, in[0], in[1], in[2], y);
        } else {
            b.conv2d(geometry, in[0], in[1], y);
        }
        return new Out<>(y, new Saved(needs.of(1) ? in[0] : null, needs.of(0) ? in[1] : null, in[0].spec(), in[1].spec()));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = null;
        Tensor dw = null;
        if (needs.of(0)) {
            dx = b.empty("dx", s.xSpec());
            b.conv2dBackwardInput(geometry, dy, s.w(), dx);
        }
        if (needs.of(1)) {
            dw = b.empty("dw", Check.ofWeight(dy, s.wSpec().shape()));
            b.conv2dBackwardWeight(geometry, s.x(), dy, dw);
        }
        return new Tensor[] {dx, dw, needs.of(2) ? Linear.biasGradient(b, dy) : null};
    }
}
