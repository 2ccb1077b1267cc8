package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.MatrixKernels;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Linear layer over rows, `y = x·wᵀ (+ bias)`: x `[..., I]`, w `[O,I]`, bias `[O]` (optional third input), y `[..., O]`.
///
/// With a frozen weight nothing is saved but the weight itself, which lives anyway. Parity: torch.nn.functional.linear.
public record Linear() implements Op<Linear.Saved> {

    public record Saved(Tensor x, Tensor w) {
    }

    @Override public Spec out(Spec... in) {
        return spec(name(), Check.inputs(name(), 2, 3, in));
    }

    static Spec spec(String name, Spec... in) {
        Shape x = in[0].shape();
        Shape w = in[1].shape();
        Check.shape(w.rank() == 2, name, "weight must be [out,in]", in[1]);
        Check.shape(x.rank() >= 1 && x.channels() == w.dim(1), name, "weight " + w + " takes " + w.dim(1) + " input channels", "x " + x);
        if (in.length == 3) {
            Check.vector(name, "bias", w.dim(0), in[2]);
        }
        return in[0].with(x.with(-1, w.dim(0)));
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(Arrays.stream(in).map(Tensor::spec).toArray(Spec[]::new)));
        if (in.length == 3) {
            b.linear(in[0], in[1], in[2], y);
        } else {
            b.linear(in[0], in[1], y);
        }
        return new Out<>(y, new Saved(needs.of(1) ? in[0] : null, needs.of(0) ? in[1] : null));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dx = needs.of(0) ? inputGradient(b, dy, s.w()) : null;
        Tensor dw = needs.of(1) ? weightGradient(b, s.x(), dy) : null;
        Tensor db = needs.of(2) ? biasGradient(b, dy) : null;
        return new Tensor[] {dx, dw, db};
    }

    /// `dx = dy·w`
    static Tensor inputGradient(Backend b, Tensor dy, Tensor w) {
        Tensor dx = b.empty("dx", dy.spec().with(dy.shape().with(-1, w.dim(1))));
        b.matmul(MatrixKernels.rows(dy), false, w, false, MatrixKernels.rows(dx));
        return dx;
    }

    /// The sum of dy over its rows.
    static Tensor biasGradient(Backend b, Tensor dy) {
        Tensor db = b.empty("dbias", Check.ofWeight(dy, Shape.of(dy.shape().channels())));
        b.sumTo(dy, 1, db);
        return db;
    }

    /// `dw = dyᵀ·x`
    static Tensor weightGradient(Backend b, Tensor x, Tensor dy) {
        Tensor dw = b.empty("dw", Check.ofWeight(dy, Shape.of(dy.shape().channels(), x.shape().channels())));
        b.matmul(MatrixKernels.rows(dy), true, MatrixKernels.rows(x), false, dw);
        return dw;
    }
}
