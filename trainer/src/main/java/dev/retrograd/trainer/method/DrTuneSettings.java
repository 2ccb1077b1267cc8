package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link DrTune}.
///
/// @param trained differentiated steps
public record DrTuneSettings(int trained) implements MethodSettings {

    @Override public String id() {
        return "drtune";
    }

    @Override public void check(SamplerSettings sampler) {
        MethodSettings.requireUncoupled(id(), sampler);
        SettingException.require(trained >= 1 && trained <= sampler.steps(), "--drtune-steps", "1.." + sampler.steps() + " (steps)", trained);
    }

    @Override public Method start(Parts parts) {
        return new DrTune(parts, MethodSettings.differentiable(parts.reward()), trained);
    }

    @Override public String toString() {
        return id() + ", " + trained + " trained steps";
    }
}
