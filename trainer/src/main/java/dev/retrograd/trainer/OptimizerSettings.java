package dev.retrograd.trainer;

import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import java.util.OptionalDouble;

/// How gradients become weights.
///
/// @param emaDecay decay of the moving average of the LoRA weights; empty for none
public record OptimizerSettings(LearningRateSchedule schedule, AdamW.Hyperparameters adamw, GradientClip clip, OptionalDouble emaDecay) {
}
