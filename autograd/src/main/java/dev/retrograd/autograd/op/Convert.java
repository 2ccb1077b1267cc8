package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;

/// Another floating element type; the gradient returns in the input's. Parity: torch.Tensor.to(dtype).
public record Convert(DType dtype) implements Op<Convert.Saved> {

    public record Saved(DType x) {
    }

    @Override public Spec out(Spec... in) {
        Spec x = Check.inputs(name(), 1, in)[0];
        Check.floating(name(), x);
        Check.floating(name(), x.with(dtype));
        return x.with(dtype);
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(converted(b, in[0], dtype), needs.of(0) ? new Saved(in[0].dtype()) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        return new Tensor[] {converted(b, dy, s.x())};
    }

    private static Tensor converted(Backend b, Tensor x, DType to) {
        Tensor y = b.empty("convert", x.spec().with(to));
        b.convert(x, y);
        return y;
    }
}
