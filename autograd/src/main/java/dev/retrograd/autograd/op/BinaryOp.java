package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Binary;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Locale;

/// Elementwise arithmetic of two tensors with NumPy broadcasting.
///
/// ADD, SUB, MUL and DIV are differentiable; MAX and MIN are not offered here, since their ties have no one gradient. Parity: torch's operators.
public record BinaryOp(Binary f) implements Op<BinaryOp.Saved> {

    /// Operands where the gradients read them: b for a product's first, a for its second, both for a quotient's second.
    public record Saved(Tensor a, Tensor b, Shape aShape, Shape bShape) {
    }

    /// @throws IllegalArgumentException for MAX and MIN
    public BinaryOp {
        if (f == Binary.MAX || f == Binary.MIN) {
            throw new IllegalArgumentException("binary: must be ADD, SUB, MUL or DIV to be differentiable, got " + f);
        }
    }

    @Override public String name() {
        return f.name().toLowerCase(Locale.ROOT);
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 2, in);
        Check.floating(name(), in[0]);
        if (in[0].dtype() != in[1].dtype()) {
            throw new DTypeException(name() + ": both inputs must have one type, got " + in[0] + " and " + in[1]);
        }
        return in[0].with(Shape.broadcast(in[0].shape(), in[1].shape()));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        boolean product = f == Binary.MUL;
        boolean quotient = f == Binary.DIV;
        Tensor keepA = product && needs.of(1) || quotient && needs.of(1) ? in[0] : null;
        Tensor keepB = product && needs.of(0) || quotient && needs.any(0, 1) ? in[1] : null;
        return new Out<>(b.binary(f, in[0], in[1]), new Saved(keepA, keepB, in[0].shape(), in[1].shape()));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor da = null;
        Tensor db = null;
        if (needs.of(0)) {
            da = switch (f) {
                case MUL, DIV -> b.binary(f, dy, s.b());
                default -> dy;
            };
            da = reduced(b, da, 1, s.aShape());
        }
        if (needs.of(1)) {
            db = switch (f) {
                case MUL -> reduced(b, b.binary(Binary.MUL, dy, s.a()), 1, s.bShape());
                case DIV -> reduced(b, divisorGradient(b, s, dy), -1, s.bShape());
                case SUB -> reduced(b, dy, -1, s.bShape());
                default -> reduced(b, dy, 1, s.bShape());
            };
        }
        return new Tensor[] {da, db};
    }

    /// `dy·a/b²`, whose negative is the gradient of b in a/b.
    private static Tensor divisorGradient(Backend b, Saved s, Tensor dy) {
        Tensor d = b.binary(Binary.MUL, dy, s.a());
        b.binary(Binary.DIV, d, s.b(), d);
        b.binary(Binary.DIV, d, s.b(), d);
        return d;
    }

    /// The adjoint of broadcasting, times a sign.
    private static Tensor reduced(Backend b, Tensor d, double sign, Shape to) {
        if (d.shape().equals(to)) {
            return sign == 1 ? d : b.scaled(d, sign);
        }
        return b.sumTo(d, sign, to);
    }
}
