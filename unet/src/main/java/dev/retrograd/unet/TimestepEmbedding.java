package dev.retrograd.unet;

import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import java.io.IOException;
import java.util.List;

/// The timestep as a vector: sines and cosines, then two linear layers. Parity: diffusers `Timesteps`, `TimestepEmbedding`.
final class TimestepEmbedding {
    private static final double MAX_PERIOD = 10_000;

    private final UNetConfig config;
    private final Linear linear1;
    private final Linear linear2;

    TimestepEmbedding(Weights w, UNetConfig config) throws IOException {
        this.config = config;
        linear1 = Linear.load(w.in("linear_1"), config.channels().getFirst(), config.timeChannels(), true);
        linear2 = Linear.load(w.in("linear_2"), config.timeChannels(), config.timeChannels(), true);
    }

    List<Linear> linears() {
        return List.of(linear1, linear2);
    }

    /// @param timesteps 0..999, one per image
    /// @return `[B, 4·channels[0]]`
    Var forward(Tape tape, float... timesteps) {
        int width = config.channels().getFirst();
        Var waves = tape.constant(tape.backend().floats("timesteps", Shape.of(timesteps.length, width), waves(width, timesteps)));
        return linear2.forward(linear1.forward(waves.to(tape.activations())).apply(Unary.SILU));
    }

    /// Frequencies and angles in float32, as upstream has them: at timestep 999 their rounding is seen in the result.
    private float[] waves(int width, float... timesteps) {
        int half = width / 2;
        float[] out = new float[timesteps.length * width];
        for (int i = 0; i < half; i++) {
            float exponent = (float) -Math.log(MAX_PERIOD) * i / (float) (half - config.freqShift());
            float frequency = (float) Math.exp(exponent);
            for (int b = 0; b < timesteps.length; b++) {
                float angle = timesteps[b] * frequency;
                out[b * width + i] = (float) (config.flipSinToCos() ? Math.cos(angle) : Math.sin(angle));
                out[b * width + half + i] = (float) (config.flipSinToCos() ? Math.sin(angle) : Math.cos(angle));
            }
        }
        return out;
    }
}
