package dev.retrograd.trainer;

import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;

/// Everything that a training run is a pure function of, beside the model, the reward and the prompts.
///
/// @param loss what the rewards' settings ask for; the method has the last word
/// @param updates of the weights, in all
/// @param batchSize images per update
/// @param microBatchSize images that go through the chain together; changes memory and time
/// @param seed of prompts, noise, truncation and initial LoRA weights
/// @param saveEvery updates between checkpoints
/// @param keepCheckpoints newest checkpoints that stay; 0 for all
/// @param sampleEvery updates between sample grids; 0 for none but the first and the last
/// @param sampleImages most images in a sample grid of training prompts, and likewise of prompts never trained on
/// @param naming of the tensors in LoRA files
/// @param regularisers what keeps the model from collapsing
/// @param trainable which weights; `lora` and `naming` are not read where they are all the UNet's
public record TrainConfig(SamplerSettings sampler, MethodSettings method, RewardLoss loss, LoraConfig lora, OptimizerSettings optimizer,
        int updates, int batchSize, int microBatchSize, long seed, int saveEvery, int keepCheckpoints, int sampleEvery, int sampleImages, LoraFile.Naming naming,
        Regularisers regularisers, Trainable trainable) {

    private static final int LARGEST_BATCH = 1 << 20;

    /// @throws SettingException naming the setting, what is allowed and what came
    public TrainConfig {
        SettingException.require(updates >= 1, "--updates", "1 or more", updates);
        SettingException.require(batchSize >= 1 && batchSize <= LARGEST_BATCH, "--batch-size", "1.." + LARGEST_BATCH, batchSize);
        SettingException.require(microBatchSize >= 1 && microBatchSize <= batchSize, "--micro-batch-size", "1.." + batchSize + " (the batch size)", microBatchSize);
        SettingException.require(saveEvery >= 1, "--save-every", "1 or more", saveEvery);
        SettingException.require(keepCheckpoints >= 0, "--keep-checkpoints", "0 (all) or more", keepCheckpoints);
        SettingException.require(sampleEvery >= 0, "--sample-every", "0 (never) or more", sampleEvery);
        SettingException.require(sampleImages >= 1 && sampleImages <= LARGEST_BATCH, "--sample-images", "1.." + LARGEST_BATCH, sampleImages);
        boolean stops = regularisers.patience() > 0 || regularisers.diversityFloor().isPresent();
        SettingException.require(!stops || sampleEvery > 0, "--sample-every", "1 or more with --stop-patience or --diversity-floor, which look at sample grids", sampleEvery);
        SettingException.require(method.trainsWeights() || trainable == Trainable.LORA, "--trainable", "left out with --method " + method.id() + ", which trains no weights", trainable);
        SettingException.require(method.trainsWeights() || optimizer.emaDecay().isEmpty(), "--ema", "left out with --method " + method.id() + ", which trains no weights", optimizer.emaDecay());
        SettingException.require(method.trainsWeights() || regularisers.kl() == 0, "--kl-coefficient", "0 with --method " + method.id() + ", which trains no weights", regularisers.kl());
        method.check(sampler);
        method.checkBatch(batchSize);
        loss = method.loss(loss);
    }

    /// Of a LoRA.
    public TrainConfig(SamplerSettings sampler, MethodSettings method, RewardLoss loss, LoraConfig lora, OptimizerSettings optimizer, int updates, int batchSize, int microBatchSize, long seed,
            int saveEvery, int keepCheckpoints, int sampleEvery, int sampleImages, LoraFile.Naming naming, Regularisers regularisers) {
        this(sampler, method, loss, lora, optimizer, updates, batchSize, microBatchSize, seed, saveEvery, keepCheckpoints, sampleEvery, sampleImages, naming, regularisers, Trainable.LORA);
    }

    /// The same run of other weights.
    public TrainConfig with(Trainable other) {
        return new TrainConfig(sampler, method, loss, lora, optimizer, updates, batchSize, microBatchSize, seed, saveEvery, keepCheckpoints, sampleEvery, sampleImages, naming, regularisers, other);
    }

    /// The same run by another method.
    public TrainConfig with(MethodSettings other) {
        return new TrainConfig(sampler, other, loss, lora, optimizer, updates, batchSize, microBatchSize, seed, saveEvery, keepCheckpoints, sampleEvery, sampleImages, naming, regularisers, trainable);
    }
}
