package dev.retrograd.trainer;

import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.diffusion.Truncation;

/// Everything that a training run is a pure function of, beside the model, the reward and the prompts.
///
/// @param updates of the weights, in all
/// @param batchSize images per update
/// @param microBatchSize images that go through the chain together; changes memory and time
/// @param seed of prompts, noise, truncation and initial LoRA weights
/// @param saveEvery updates between checkpoints
/// @param keepCheckpoints newest checkpoints that stay; 0 for all
/// @param sampleEvery updates between sample grids; 0 for none but the first and the last
/// @param naming of the tensors in LoRA files
public record TrainConfig(SamplerSettings sampler, Truncation truncation, RewardLoss loss, LoraConfig lora, OptimizerSettings optimizer,
        int updates, int batchSize, int microBatchSize, long seed, int saveEvery, int keepCheckpoints, int sampleEvery, LoraFile.Naming naming) {

    /// @throws IllegalArgumentException naming the setting, what is allowed and what came
    public TrainConfig {
        require("--updates", "1 or more", updates >= 1, updates);
        require("--batch-size", "1 or more", batchSize >= 1, batchSize);
        require("--micro-batch-size", "1.." + batchSize + " (the batch size)", microBatchSize >= 1 && microBatchSize <= batchSize, microBatchSize);
        require("--save-every", "1 or more", saveEvery >= 1, saveEvery);
        require("--keep-checkpoints", "0 (all) or more", keepCheckpoints >= 0, keepCheckpoints);
        require("--sample-every", "0 (never) or more", sampleEvery >= 0, sampleEvery);
        truncation.check(sampler.steps());
    }

    private static void require(String flag, String allowed, boolean holds, int got) {
        if (!holds) {
            throw new IllegalArgumentException(flag + ": must be " + allowed + ", got " + got);
        }
    }
}
