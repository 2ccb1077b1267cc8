package dev.retrograd.unet.diffusion;

import dev.retrograd.unet.ModelConfig;
import java.io.IOException;

/// How much noise each trained timestep carries, from a diffusers `scheduler_config.json`, whichever scheduler wrote it.
///
/// Values are float32, computed in upstream's order: its samplers read these very bits. Parity: `DDIMScheduler.from_config`.
public final class NoiseSchedule {
    private static final int MOST_TIMESTEPS = 100_000;
    /// Floats in a vector of torch's AVX2 kernels.
    private static final int LINSPACE_LANES = 8;

    private final float[] betas;
    private final float[] alphasCumprod;
    private final float finalAlphaCumprod;
    private final int stepsOffset;
    private final Spacing spacing;
    private final Prediction prediction;

    /// What the UNet was trained to predict.
    public enum Prediction {
        /// the noise ε: SD 1.x, and 2.x at 512 pixels
        EPSILON,
        /// the velocity `v = √ᾱ·ε − √(1−ᾱ)·x0`: SD 2.x at 768 pixels. Source: arXiv 2202.00512, appendix D
        V
    }

    /// How inference steps are spread over trained timesteps.
    enum Spacing { LEADING, TRAILING, LINSPACE }

    private NoiseSchedule(float[] betas, boolean alphaOneAtEnd, int stepsOffset, Spacing spacing, Prediction prediction) {
        this.betas = betas;
        this.stepsOffset = stepsOffset;
        this.spacing = spacing;
        this.prediction = prediction;
        alphasCumprod = new float[betas.length];
        double product = 1;
        for (int t = 0; t < betas.length; t++) {
            product *= 1f - betas[t];
            alphasCumprod[t] = (float) product;
        }
        finalAlphaCumprod = alphaOneAtEnd ? 1 : alphasCumprod[0];
    }

    /// @throws dev.retrograd.core.io.ModelFormatException for a schedule, prediction or spacing that is not supported, by name
    public static NoiseSchedule of(ModelConfig c) throws IOException {
        int n = c.has("num_train_timesteps") ? c.integer("num_train_timesteps") : 1000;
        double start = c.number("beta_start", 1e-4);
        double end = c.number("beta_end", 0.02);
        String kind = c.text("beta_schedule", "linear");
        if (n > MOST_TIMESTEPS || !(start > 0 && start <= end && end < 1)) {
            throw c.refuse("needs 1.." + MOST_TIMESTEPS + " timesteps and 0 < beta_start <= beta_end < 1, got " + n + ", " + start + " and " + end);
        }
        float[] betas = switch (kind) {
            case "linear" -> linspace(start, end, n);
            case "scaled_linear" -> squared(linspace(Math.sqrt(start), Math.sqrt(end), n));
            default -> throw c.refuse("'beta_schedule' must be linear or scaled_linear, got " + kind);
        };
        String spacing = c.text("timestep_spacing", "leading");
        Spacing s = switch (spacing) {
            case "leading" -> Spacing.LEADING;
            case "trailing" -> Spacing.TRAILING;
            case "linspace" -> Spacing.LINSPACE;
            default -> throw c.refuse("'timestep_spacing' must be leading, trailing or linspace, got " + spacing);
        };
        String predicted = c.text("prediction_type", "epsilon");
        Prediction prediction = switch (predicted) {
            case "epsilon" -> Prediction.EPSILON;
            case "v_prediction" -> Prediction.V;
            default -> throw c.refuse("'prediction_type' must be epsilon or v_prediction, got " + predicted);
        };
        NoiseSchedule schedule = new NoiseSchedule(betas, c.flag("set_alpha_to_one", true), c.integer("steps_offset", 0), s, prediction);
        if (schedule.stepsOffset < 0 || schedule.stepsOffset >= n) {
            throw c.refuse("'steps_offset' must be 0.." + (n - 1) + ", got " + schedule.stepsOffset);
        }
        c.only("trained_betas", "null");
        c.only("clip_sample", "false");
        c.only("thresholding", "false");
        c.only("rescale_betas_zero_snr", "false");
        // What other samplers than DDIM read.
        c.ignore("skip_prk_steps", "clip_sample_range", "dynamic_thresholding_ratio", "sample_max_value", "algorithm_type", "solver_order", "solver_type",
                "lower_order_final", "use_karras_sigmas", "variance_type", "interpolation_type", "final_sigmas_type", "euler_at_final", "lambda_min_clipped", "use_lu_lambdas",
                "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas", "flow_shift", "solver_p", "sigma_min", "sigma_max", "timestep_type", "predict_x0", "predict_epsilon",
                "use_dynamic_shifting", "time_shift_type", "disable_corrector");
        c.done();
        return schedule;
    }

    /// torch.linspace in float32, bit for bit: eight at a time from the value of the first of them, which counts upwards from the start in the
    /// first half and downwards from the end in the second; what is left at the end one by one.
    private static float[] linspace(double start, double end, int n) {
        float[] values = new float[n];
        float first = (float) start;
        float last = (float) end;
        float step = n == 1 ? 0 : (last - first) / (n - 1);
        for (int i = 0; i < n; i++) {
            int block = i / LINSPACE_LANES * LINSPACE_LANES;
            int base = block + LINSPACE_LANES <= n ? block : i;
            float from = base < n / 2 ? Math.fma(step, base, first) : Math.fma(-step, n - 1 - base, last);
            values[i] = Math.fma(step, i - base, from);
        }
        return values;
    }

    private static float[] squared(float[] values) {
        for (int i = 0; i < values.length; i++) {
            values[i] *= values[i];
        }
        return values;
    }

    /// Trained timesteps, 1000.
    public int trainTimesteps() {
        return betas.length;
    }

    /// β per trained timestep.
    public float[] betas() {
        return betas.clone();
    }

    /// ᾱ per trained timestep: the share of the signal's variance that is left.
    public float[] alphasCumprod() {
        return alphasCumprod.clone();
    }

    /// ᾱ at a trained timestep; below 0, that of the clean image.
    public float alphaCumprod(int timestep) {
        return timestep < 0 ? finalAlphaCumprod : alphasCumprod[timestep];
    }

    /// ᾱ that stands for the clean image: 1, or ᾱ₀ where `set_alpha_to_one` is false (SD1.5).
    public float finalAlphaCumprod() {
        return finalAlphaCumprod;
    }

    /// What the UNet predicts.
    public Prediction prediction() {
        return prediction;
    }

    /// The timesteps of a sampler with so many steps.
    ///
    /// @throws IllegalArgumentException unless steps is 1..{@link #trainTimesteps()}
    public DdimSchedule ddim(int steps) {
        int n = betas.length;
        if (steps < 1 || steps > n) {
            throw new IllegalArgumentException("steps: must be 1.." + n + ", got " + steps);
        }
        int[] timesteps = new int[steps];
        for (int i = 0; i < steps; i++) {
            int fromClean = steps - 1 - i;
            timesteps[i] = switch (spacing) {
                case LEADING -> fromClean * (n / steps) + stepsOffset;
                case TRAILING -> (int) Math.rint(n - i * ((double) n / steps)) - 1;
                case LINSPACE -> (int) Math.rint(steps == 1 ? 0 : fromClean * ((n - 1.0) / (steps - 1)));
            };
            if (timesteps[i] >= n) {
                throw new IllegalArgumentException("steps: " + steps + " steps with this schedule's offset " + stepsOffset + " reach timestep " + timesteps[i] + ", beyond " + (n - 1));
            }
        }
        return new DdimSchedule(this, timesteps);
    }
}
