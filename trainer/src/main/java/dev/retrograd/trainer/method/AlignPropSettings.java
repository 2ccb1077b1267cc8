package dev.retrograd.trainer.method;

import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.diffusion.Truncation;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/// Of {@link AlignProp}, and of DRaFT-K (arXiv 2309.17400), which is the same with a fixed K.
///
/// @param id `alignprop` or `draft`
/// @param flag the option that the truncation comes from
/// @param truncation which steps are differentiated
public record AlignPropSettings(String id, String flag, Truncation truncation) implements MethodSettings {

    /// The paper's method.
    public static AlignPropSettings alignprop(Truncation truncation) {
        return new AlignPropSettings("alignprop", "--truncation", truncation);
    }

    /// DRaFT-K.
    public static AlignPropSettings draft(int k) {
        return new AlignPropSettings("draft", "--draft-steps", new Truncation.Fixed(k));
    }

    @Override public void check(SamplerSettings sampler) {
        SettingException.named(flag, () -> {
            truncation.check(sampler.steps());
            return truncation;
        });
    }

    @Override public OptionalInt mostSteps(int steps) {
        return OptionalInt.of(truncation.most(steps));
    }

    @Override public AlignPropSettings withSteps(int k) {
        return new AlignPropSettings(id, flag, new Truncation.Fixed(k));
    }

    @Override public OptionalDouble meanSteps(int steps) {
        return OptionalDouble.of(truncation.mean(steps));
    }

    @Override public Method start(Parts parts) {
        return new AlignProp(parts, MethodSettings.differentiable(parts.reward()), truncation);
    }

    @Override public String toString() {
        return id + ", truncation " + truncation;
    }
}
