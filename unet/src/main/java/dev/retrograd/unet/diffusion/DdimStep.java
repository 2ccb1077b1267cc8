package dev.retrograd.unet.diffusion;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import java.util.Optional;

/// One DDIM update: predicted noise to the next, less noisy latent, and its log-probability. Arithmetic only.
///
/// | variable | shape | unit |
/// |---|---|---|
/// | x, eps | [B,H,W,4] | latent; the UNet's prediction, guided: noise, or velocity where the schedule says so |
/// | noise | [B,H,W,4] | N(0,1); wanted when eta > 0 |
///
/// Source: arXiv 2010.02502, eq. 12 (update), 16 (sigma). Parity: diffusers `DDIMScheduler.step`; TRL and ddpo-pytorch for the log-probability.
public record DdimStep(DdimSchedule schedule, int step, double eta) {

    /// @throws IllegalArgumentException if eta is not within 0..1
    public DdimStep {
        if (!(eta >= 0 && eta <= 1)) {
            throw new IllegalArgumentException("eta: must be 0..1, got " + eta);
        }
    }

    /// The next latent.
    ///
    /// @throws IllegalArgumentException if eta is above 0 and no noise is given
    public Var next(Var x, Var eps, Optional<Var> noise) {
        DdimSchedule.Coefficients c = schedule.coefficients(step, eta);
        if (eta == 0) {
            return x.apply(new LinearCombination(0, c.ofX(), c.ofOutput()), eps);
        }
        Var z = noise.orElseThrow(() -> new IllegalArgumentException("ddim step: eta " + eta + " needs noise"));
        return x.apply(new LinearCombination(0, c.ofX(), c.ofOutput(), c.sigma()), eps, z);
    }

    /// The clean latent that the prediction implies.
    public Var clean(Var x, Var eps) {
        DdimSchedule.Coefficients c = schedule.coefficients(step, eta);
        return x.apply(new LinearCombination(0, c.x0OfX(), c.x0OfOutput()), eps);
    }

    /// log N(next; mean, σ²), averaged over the latent (not summed, as upstream has it), `[B]`; `next` is cut off from gradients.
    ///
    /// @throws IllegalArgumentException at eta 0, where a deterministic step has no density
    public Var logProbability(Var x, Var eps, Var next) {
        if (eta == 0) {
            throw new IllegalArgumentException("log-probability: eta must be above 0, got 0");
        }
        DdimSchedule.Coefficients c = schedule.coefficients(step, eta);
        Var mean = x.apply(new LinearCombination(0, c.ofX(), c.ofOutput()), eps);
        Var deviation = next.detach().minus(mean).apply(Unary.pow(2));
        Shape perImage = Shape.of(x.dim(0), 1, 1, 1);
        Var squared = deviation.apply(SumTo.mean(x.shape(), perImage)).reshape(x.dim(0));
        return squared.affine(-1 / (2 * c.sigma() * c.sigma()), -Math.log(c.sigma()) - 0.5 * Math.log(2 * Math.PI));
    }
}
