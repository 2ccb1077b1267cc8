package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link Rwr}.
///
/// @param samples images of a round
/// @param epochs times that a round's images are gone through
/// @param temperature factor of the reward in the softmax (upstream calls it so, though it multiplies)
public record RwrSettings(int samples, int epochs, double temperature) implements MethodSettings {
    private static final int MOST = 1 << 20;

    public RwrSettings {
        SettingException.require(samples >= 1 && samples <= MOST, "--rwr-samples", "1.." + MOST, samples);
        SettingException.require(epochs >= 1 && epochs <= MOST, "--rwr-epochs", "1.." + MOST, epochs);
        SettingException.require(temperature > 0 && Double.isFinite(temperature), "--rwr-temperature", "above 0", temperature);
    }

    @Override public String id() {
        return "rwr";
    }

    @Override public boolean needsGradient() {
        return false;
    }

    @Override public void check(SamplerSettings sampler) {
        // Rounds are counted in images, whatever the sampler.
    }

    @Override public void checkBatch(int images) {
        SettingException.require(samples % images == 0, "--rwr-samples", "a multiple of the batch size " + images, samples);
    }

    @Override public Method start(Parts parts) {
        return new Rwr(parts, this);
    }

    @Override public String toString() {
        return id() + ", rounds of " + samples + " images, " + epochs + " epochs, temperature " + temperature;
    }
}
