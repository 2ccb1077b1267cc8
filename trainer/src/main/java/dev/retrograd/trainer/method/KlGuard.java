package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import java.util.function.Supplier;

/// A penalty on leaving the base model: `coefficient · mean‖ε − ε_base‖²`, for Gaussian steps of one variance their KL divergence but for a factor.
///
/// The base's prediction is a constant; it is made from the same latent with the trained updates taken off. Source: NeMo-Aligner, DRaFT+.
///
/// @param coefficient 0: no penalty, and no work
/// @param base how code runs with the trained updates taken off
public record KlGuard(double coefficient, Base base) {
    /// No penalty.
    public static final KlGuard NONE = new KlGuard(0, new Base() {
        @Override public <T> T run(Supplier<T> code) {
            return code.get();
        }
    });

    /// Runs code with the base model's weights.
    public interface Base {
        <T> T run(Supplier<T> code);
    }

    public boolean active() {
        return coefficient > 0;
    }

    /// The penalty without its coefficient, `[B]`.
    ///
    /// @param eps prediction, `[B,H,W,C]`
    /// @param again makes the prediction anew, from the same latent, cut off from gradients
    public Var penalty(Var eps, Supplier<Var> again) {
        Var unchanged = base.run(() -> eps.tape().unrecorded(again));
        Shape perImage = Shape.of(eps.dim(0), 1, 1, 1);
        return eps.apply(new LinearCombination(0, 1, -1), unchanged.detach()).apply(Unary.pow(2)).apply(SumTo.mean(eps.shape(), perImage)).reshape(eps.dim(0));
    }
}
