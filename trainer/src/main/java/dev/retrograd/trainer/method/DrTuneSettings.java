package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SettingException;

/// Of {@link DrTune}.
///
/// @param trained differentiated steps
public record DrTuneSettings(int trained) implements MethodSettings {

    @Override public String id() {
        return "drtune";
    }

    @Override public void check(int steps, double eta) {
        SettingException.require(trained >= 1 && trained <= steps, "--drtune-steps", "1.." + steps + " (steps)", trained);
    }

    @Override public Method start(Parts parts) {
        return new DrTune(parts, MethodSettings.differentiable(parts.reward()), trained);
    }

    @Override public String toString() {
        return id() + ", " + trained + " trained steps";
    }
}
