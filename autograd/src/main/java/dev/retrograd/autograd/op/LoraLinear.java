package dev.retrograd.autograd.op;

import dev.retrograd.autograd.Needs;
import dev.retrograd.autograd.Op;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.Arrays;

/// Linear layer with a low-rank update, `y = x·wᵀ (+ bias) + scale·(x·aᵀ)·bᵀ`; inputs x, w, a, b and, optionally, bias.
///
/// x `[..., I]`, w `[O,I]`, a `[R,I]`, b `[O,R]`, bias `[O]`, y `[..., O]`. Source: arXiv 2106.09685, eq. 3, with `scale = α/r`. Parity: peft `lora.Linear`.
public record LoraLinear(double scale) implements Op<LoraLinear.Saved> {
    private static final int X = 0;
    private static final int W = 1;
    private static final int A = 2;
    private static final int B = 3;
    private static final int BIAS = 4;

    /// `xa` is `scale·x·aᵀ`, `[..., R]`.
    public record Saved(Tensor x, Tensor w, Tensor a, Tensor b, Tensor xa) {
    }

    @Override public Spec out(Spec... in) {
        Check.inputs(name(), 4, 5, in);
        Spec y = in.length == 5 ? Linear.spec(name(), in[X], in[W], in[BIAS]) : Linear.spec(name(), in[X], in[W]);
        Shape w = in[W].shape();
        Shape a = in[A].shape();
        Shape b = in[B].shape();
        Check.shape(a.rank() == 2 && a.dim(1) == w.dim(1), name(), "A must be [rank," + w.dim(1) + "]", in[A]);
        Check.shape(b.equals(Shape.of(w.dim(0), a.dim(0))), name(), "B must be [" + w.dim(0) + "," + a.dim(0) + "]", in[B]);
        return y;
    }

    @Override public Out<Saved> forward(Backend b, Needs needs, Tensor... in) {
        Tensor y = b.empty(name(), out(Arrays.stream(in).map(Tensor::spec).toArray(Spec[]::new)));
        Tensor xa = b.empty("xa", in[X].spec().with(in[X].shape().with(-1, in[A].dim(0))));
        if (in.length == 5) {
            b.loraLinear(in[X], in[W], in[BIAS], in[A], in[B], scale, xa, y);
        } else {
            b.loraLinear(in[X], in[W], in[A], in[B], scale, xa, y);
        }
        return new Out<>(y, new Saved(needs.any(W, A) ? in[X] : null, needs.of(X) ? in[W] : null,
                needs.of(X) ? in[A] : null, needs.any(X, A) ? in[B] : null, needs.of(B) ? xa : null));
    }

    @Override public Tensor[] backward(Backend b, Saved s, Tensor dy, Needs needs) {
        Tensor dxa = null;
        Tensor dx = null;
        if (needs.of(X)) {
            dxa = b.empty("dxa", dy.spec().with(dy.shape().with(-1, s.b().dim(1))));
            dx = b.empty("dx", dy.spec().with(dy.shape().with(-1, s.w().dim(1))));
            b.loraLinearBackwardInput(dy, s.w(), s.a(), s.b(), scale, dxa, dx);
        } else if (needs.of(A)) {
            dxa = Linear.inputGradient(b, dy, s.b());
            b.linearCombination(0, new double[] {scale}, new Tensor[] {dxa}, dxa);
        }
        Tensor dw = needs.of(W) ? Linear.weightGradient(b, s.x(), dy) : null;
        Tensor da = needs.of(A) ? Linear.weightGradient(b, s.x(), dxa) : null;
        Tensor db = needs.of(B) ? Linear.weightGradient(b, s.xa(), dy) : null;
        Tensor dbias = needs.of(BIAS) ? Linear.biasGradient(b, dy) : null;
        return new Tensor[] {dx, dw, da, db, dbias};
    }
}
