package dev.retrograd.unet.diffusion;

import java.util.Arrays;

/// The timesteps of one DDIM sampler, from noise to image, and the coefficients of each update. Immutable; no tensors.
///
/// Source: arXiv 2010.02502. Parity: diffusers `DDIMScheduler.set_timesteps`, `_get_variance`.
public final class DdimSchedule {
    private final NoiseSchedule noise;
    private final int[] timesteps;

    DdimSchedule(NoiseSchedule noise, int[] timesteps) {
        this.noise = noise;
        this.timesteps = timesteps;
    }

    public int steps() {
        return timesteps.length;
    }

    public NoiseSchedule noise() {
        return noise;
    }

    /// The trained timestep of a step.
    public int timestep(int step) {
        return timesteps[step];
    }

    public int[] timesteps() {
        return timesteps.clone();
    }

    /// The step of a trained timestep.
    ///
    /// @throws IllegalArgumentException if no step has it
    public int stepOf(int timestep) {
        for (int i = 0; i < timesteps.length; i++) {
            if (timesteps[i] == timestep) {
                return i;
            }
        }
        throw new IllegalArgumentException("timestep: must be one of " + Arrays.toString(timesteps) + ", got " + timestep);
    }

    /// The trained timestep that a step arrives at; below 0, the clean image.
    public int previousTimestep(int step) {
        return timesteps[step] - noise.trainTimesteps() / timesteps.length;
    }

    /// σ² at eta 1, `(1 − ᾱ_prev)/(1 − ᾱ_t)·(1 − ᾱ_t/ᾱ_prev)`, in upstream's float32 arithmetic.
    public float variance(int step) {
        float alpha = noise.alphaCumprod(timesteps[step]);
        float previous = noise.alphaCumprod(previousTimestep(step));
        return (1 - previous) / (1 - alpha) * (1 - alpha / previous);
    }

    /// The update of a step as sums of the latent x, the predicted noise ε and fresh noise z.
    ///
    /// With ᾱ, ᾱ' and σ = eta·√variance: `x̂0 = (x − √(1−ᾱ)·ε)/√ᾱ` and `x' = √ᾱ'·x̂0 + √(1−ᾱ'−σ²)·ε + σ·z` (eq. 12, 16).
    ///
    /// @param eta 0 deterministic … 1 ancestral
    public Coefficients coefficients(int step, double eta) {
        double alpha = noise.alphaCumprod(timesteps[step]);
        double previous = noise.alphaCumprod(previousTimestep(step));
        double sigma = eta * Math.sqrt((1 - previous) / (1 - alpha) * (1 - alpha / previous));
        double x0OfEps = -Math.sqrt(1 - alpha) / Math.sqrt(alpha);
        double direction = Math.sqrt(Math.max(0, 1 - previous - sigma * sigma));
        return new Coefficients(1 / Math.sqrt(alpha), x0OfEps, Math.sqrt(previous / alpha), Math.sqrt(previous) * x0OfEps + direction, sigma);
    }

    /// `x̂0 = x0OfX·x + x0OfEps·ε` and `x' = ofX·x + ofEps·ε + sigma·z`.
    public record Coefficients(double x0OfX, double x0OfEps, double ofX, double ofEps, double sigma) {
    }
}
