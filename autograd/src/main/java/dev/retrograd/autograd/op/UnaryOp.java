package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.util.Locale;

/// An elementwise function, `y = f(x)`. Shape: any, unchanged.
public record UnaryOp(Unary f) implements Op<UnaryOp.Saved> {

    public record Saved(Tensor x) {
    }

    @Override public String name() {
        return f.kind().name().toLowerCase(Locale.ROOT);
    }

    @Override public Spec out(Spec... in) {
        Check.floating(name(), Check.inputs(name(), 1, in)[0]);
        return in[0];
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        return new Out<>(b.unary(f, in[0]), needs.of(0) ? new Saved(in[0]) : null);
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = b.empty("dx", dy.spec());
        b.unaryBackward(f, s.x(), dy, dx);
        return new Tensor[] {dx};
    }
}
