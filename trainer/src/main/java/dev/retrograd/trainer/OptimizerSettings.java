package dev.retrograd.trainer;

import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import java.util.OptionalDouble;

/// How gradients become weights.
///
/// @param emaDecay decay of the moving average of the LoRA weights; empty for none
/// @param maxSkipped updates in a row whose loss or gradient may be not finite: each is skipped, one more ends the run
public record OptimizerSettings(LearningRateSchedule schedule, AdamW.Hyperparameters adamw, GradientClip clip, OptionalDouble emaDecay, int maxSkipped) {

    /// @throws SettingException if maxSkipped is negative
    public OptimizerSettings {
        SettingException.require(maxSkipped >= 0, "--max-skipped-updates", "0 or more", maxSkipped);
    }
}
