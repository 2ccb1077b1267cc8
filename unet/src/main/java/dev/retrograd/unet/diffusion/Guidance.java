package dev.retrograd.unet.diffusion;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.Slice;

/// Classifier-free guidance: `uncond + scale·(text − uncond)`. Source: arXiv 2207.12598. Parity: diffusers `StableDiffusionPipeline`.
///
/// @param scale 1 or below means none: the text prediction alone, as upstream
public record Guidance(double scale) {

    /// @throws IllegalArgumentException if the scale is not finite
    public Guidance {
        if (!Double.isFinite(scale)) {
            throw new IllegalArgumentException("guidance: must be a finite number, got " + scale);
        }
    }

    /// Whether the unconditional prediction is needed.
    public boolean active() {
        return scale > 1;
    }

    /// The latent for both predictions at once, `[2B,H,W,C]`, or unchanged where guidance is not active.
    public Var doubled(Var x) {
        return active() ? x.apply(new Concat(0), x) : x;
    }

    /// Mixes a prediction of `[2B,…]`, order [uncond, text], to `[B,…]`; passes it through where guidance is not active.
    public Var mixed(Var both) {
        if (!active()) {
            return both;
        }
        int batch = both.dim(0) / 2;
        Var uncond = both.apply(new Slice(0, 0, batch));
        Var text = both.apply(new Slice(0, batch, batch));
        return uncond.apply(new LinearCombination(0, 1 - scale, scale), text);
    }
}
