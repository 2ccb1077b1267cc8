package dev.retrograd.unet.vae;

import dev.retrograd.autograd.Var;
import dev.retrograd.core.Unary;

/// From the latents of the diffusion to pixels. Parity: diffusers `VaeImageProcessor.denormalize`.
public final class Pixels {
    private Pixels() {
    }

    /// Decodes: latent `[B,h,w,C]`, as the diffusion has it, to an image `[B,8h,8w,3]`, nominally in [-1,1].
    public static Var image(VaeDecoder decoder, Var latent) {
        return decoder.forward(latent.affine(1 / decoder.config().scalingFactor(), 0));
    }

    /// An image, nominally in [-1,1], as pixels in [0,1]: `clamp(image/2 + 0.5)`, with gradient 1 where nothing was clamped.
    public static Var of(Var image) {
        return image.affine(0.5, 0.5).apply(Unary.clamp(0, 1));
    }
}
