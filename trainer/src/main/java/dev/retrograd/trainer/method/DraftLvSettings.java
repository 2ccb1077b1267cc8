package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;

/// Of {@link DraftLv}.
///
/// @param renoisings the paper's n
public record DraftLvSettings(int renoisings) implements MethodSettings {
    private static final int MOST = 1000;

    public DraftLvSettings {
        SettingException.require(renoisings >= 1 && renoisings <= MOST, "--draft-renoisings", "1.." + MOST, renoisings);
    }

    @Override public String id() {
        return "draft-lv";
    }

    @Override public void check(SamplerSettings sampler) {
        MethodSettings.requireUncoupled(id(), sampler);
    }

    @Override public Method start(Parts parts) {
        return new DraftLv(parts, MethodSettings.differentiable(parts.reward()), renoisings);
    }

    @Override public String toString() {
        return id() + ", " + renoisings + " renoised";
    }
}
