package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Unary;

/// PPO's clipped surrogate, to be minimised: `max(−A·ρ, −A·clamp(ρ, 1 − c, 1 + c))` with the ratio of probabilities `ρ = exp(log p − log p_old)`.
///
/// Source: arXiv 1707.06347, eq. 7; for denoising steps: DDPO (arXiv 2305.13301). Parity: ddpo-pytorch `scripts/train.py`.
///
/// @param clipRange c, upstream 1e-4
/// @param advantageClip advantages beyond ± this are cut, upstream 5
public record PpoLoss(double clipRange, double advantageClip) {

    /// Loss per image and what it was made of, all `[B]`.
    public record Terms(Var ratio, Var losses) {
    }

    /// @param logProbabilities of the steps taken, under the present weights, `[B]`
    /// @param old the same under the weights that sampled, `[B]`; not differentiated
    /// @param advantages `[B]`
    public Terms of(Var logProbabilities, Var old, Var advantages) {
        Var ratio = logProbabilities.minus(old.detach()).apply(Unary.EXP);
        Var advantage = advantages.detach().apply(Unary.clamp(-advantageClip, advantageClip)).affine(-1, 0);
        Var plain = advantage.times(ratio);
        Var clipped = advantage.times(ratio.apply(Unary.clamp(1 - clipRange, 1 + clipRange)));
        // max(a, b) = a + relu(b − a); where both are equal the ratio is within the range, and both have one gradient.
        return new Terms(ratio, plain.plus(clipped.minus(plain).apply(Unary.RELU)));
    }

    /// Half the mean squared change of the log-probabilities.
    public static double approximateKl(float[] logProbabilities, float... old) {
        double sum = 0;
        for (int i = 0; i < old.length; i++) {
            double d = (double) logProbabilities[i] - old[i];
            sum += d * d;
        }
        return 0.5 * sum / old.length;
    }

    /// Share of the ratios that lie outside the range.
    public double clippedShare(float... ratios) {
        int outside = 0;
        for (float r : ratios) {
            if (Math.abs(r - 1.0) > clipRange) {
                outside++;
            }
        }
        return (double) outside / ratios.length;
    }
}
