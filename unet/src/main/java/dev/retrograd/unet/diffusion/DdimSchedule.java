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

    /// The update of a step as sums of the latent x, the UNet's output and fresh noise z.
    ///
    /// With ᾱ, ᾱ' and σ = eta·√variance: `x̂0 = (x − √(1−ᾱ)·ε)/√ᾱ` and `x' = √ᾱ'·x̂0 + √(1−ᾱ'−σ²)·ε + σ·z` (eq. 12, 16), where the output
    /// is ε; where it is the velocity v, `x̂0 = √ᾱ·x − √(1−ᾱ)·v` and `ε = √ᾱ·v + √(1−ᾱ)·x` (arXiv 2202.00512, appendix D).
    ///
    /// @param eta 0 deterministic … 1 ancestral
    public Coefficients coefficients(int step, double eta) {
        double alpha = noise.alphaCumprod(timesteps[step]);
        double previous = noise.alphaCumprod(previousTimestep(step));
        double sigma = eta * Math.sqrt((1 - previous) / (1 - alpha) * (1 - alpha / previous));
        double direction = Math.sqrt(Math.max(0, 1 - previous - sigma * sigma));
        double signal = Math.sqrt(alpha);
        double spread = Math.sqrt(1 - alpha);
        return switch (noise.prediction()) {
            case EPSILON -> {
                double x0OfOutput = -spread / signal;
                yield new Coefficients(1 / signal, x0OfOutput, Math.sqrt(previous / alpha), Math.sqrt(previous) * x0OfOutput + direction, sigma);
            }
            case V -> new Coefficients(signal, -spread, Math.sqrt(previous) * signal + direction * spread, direction * signal - Math.sqrt(previous) * spread, sigma);
        };
    }

    /// `x̂0 = x0OfX·x + x0OfOutput·output` and `x' = ofX·x + ofOutput·output + sigma·z`.
    public record Coefficients(double x0OfX, double x0OfOutput, double ofX, double ofOutput, double sigma) {
    }
}
