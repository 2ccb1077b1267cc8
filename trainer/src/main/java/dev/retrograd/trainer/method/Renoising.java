package dev.retrograd.trainer.method;

import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.StableDiffusion;

/// The forward process of diffusion: a clean latent with the noise of a trained timestep, `x_t = √ᾱ·x0 + √(1−ᾱ)·ε`. Source: arXiv 2006.11239, eq. 4.
final class Renoising {
    private Renoising() {
    }

    /// ε ~ N(0,1), image by image, `[B,H,W,C]` like the clean latents, in the innermost open scope.
    ///
    /// @param streams one for each image
    static Tensor noise(Backend b, Shape shape, RandomStream... streams) {
        float[] all = new float[Math.toIntExact(shape.elements())];
        int each = all.length / streams.length;
        for (int i = 0; i < streams.length; i++) {
            System.arraycopy(streams[i].randn(each), 0, all, i * each, each);
        }
        return b.floats("noise", shape, all);
    }

    /// x_t in the innermost open scope.
    static Tensor of(StableDiffusion model, Tensor clean, int timestep, RandomStream... streams) {
        double alpha = model.schedule().alphaCumprod(timestep);
        Backend b = model.backend();
        return b.linearCombination(0, new double[] {Math.sqrt(alpha), Math.sqrt(1 - alpha)}, clean, noise(b, clean.shape(), streams));
    }
}
