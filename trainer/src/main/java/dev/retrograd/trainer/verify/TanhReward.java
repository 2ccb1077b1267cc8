package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.DifferentiableReward;
import java.util.List;

/// The reward of the reference updates, a smooth function of all pixels: `mean_m tanh(scale · Σ W[m]·(pixels − ½) + b[m])`.
///
/// @param w `[M,H,W,3]`
/// @param b `[M]`
record TanhReward(Tensor w, Tensor b, double scale) implements DifferentiableReward {
    /// How checks call it.
    static final String DEFINITION = "mean over m of tanh(scale * sum(W[m] * (pixels - 0.5)) + b[m])";

    @Override public String name() {
        return "tanh";
    }

    @Override public Var score(Var pixels, List<String> prompts) {
        int batch = pixels.dim(0);
        int functions = w.dim(0);
        int size = Math.toIntExact(w.elements() / functions);
        if (!pixels.shape().with(0, functions).equals(w.shape())) {
            throw new ShapeException("tanh reward: pixels must be " + w.shape().with(0, batch) + " as reward.W is, got " + pixels.shape());
        }
        Var centred = pixels.affine(1, -0.5).reshape(batch, size);
        Var products = centred.apply(new Linear(), centred.tape().constant(w.reshape(functions, size)));
        Var each = products.affine(scale, 0).plus(centred.tape().constant(b)).apply(Unary.TANH);
        return each.apply(SumTo.mean(each.shape(), Shape.of(batch, 1))).reshape(batch);
    }
}
