package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;

/// Terms of losses.
final class Terms {
    /// Below it the logarithm of a softmax is cut off.
    private static final double LEAST_PROBABILITY = 1e-12;

    private Terms() {
    }

    /// The mean of all elements, `[]`.
    static Var mean(Var x) {
        return x.apply(SumTo.mean(x.shape(), Shape.of()));
    }

    /// The mean absolute difference, `[]`.
    static Var l1(Var a, Var b) {
        return mean(a.minus(b).apply(Unary.ABS));
    }

    /// The mean squared difference, `[]`.
    static Var l2(Var a, Var b) {
        return mean(a.minus(b).apply(Unary.pow(2)));
    }

    /// The mean absolute difference of the images' differences between neighbouring pixels, `[]`: what keeps edges sharp.
    ///
    /// @param a `[B,H,W,C]`
    /// @param b `[B,H,W,C]`
    static Var edges(Var a, Var b) {
        Var d = a.minus(b);
        return slope(d, 1).plus(slope(d, 2));
    }

    private static Var slope(Var d, int axis) {
        int n = d.dim(axis) - 1;
        return mean(d.apply(new Slice(axis, 1, n)).minus(d.apply(new Slice(axis, 0, n))).apply(Unary.ABS));
    }

    /// The mean negative log-probability of the right class, `[]`.
    ///
    /// @param logits `[B,K]`
    /// @param targets the right class of each row, 0..K−1
    static Var crossEntropy(Var logits, int... targets) {
        int batch = logits.dim(0);
        int classes = logits.dim(1);
        float[] oneHot = new float[batch * classes];
        for (int i = 0; i < batch; i++) {
            oneHot[i * classes + targets[i]] = 1;
        }
        Tape t = logits.tape();
        Backend b = t.backend();
        Var right = t.constant(b.floats("targets", Shape.of(batch, classes), oneHot));
        Var probability = logits.apply(new dev.retrograd.autograd.op.Softmax()).times(right).apply(new SumTo(Shape.of(batch, 1), 1));
        return mean(probability.apply(Unary.clamp(LEAST_PROBABILITY, 1)).apply(Unary.LOG)).affine(-1, 0);
    }
}
