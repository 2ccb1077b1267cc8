package dev.retrograd.trainer.cli;

import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.core.Backend;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.OptimizerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.TrainConfig;
import dev.retrograd.trainer.TrainLoop;
import dev.retrograd.trainer.Trainable;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// What a training run is made of: the settings that `train` runs and `plan` plans.
final class TrainOptions {
    /// Beyond any layer's width a low-rank update is none.
    private static final int LARGEST_RANK = 1 << 13;

    @Mixin
    private ModelOptions model;

    @Option(names = "--lora", paramLabel = "FILE", description = "LoRA to start from, a file or its folder; without it, a fresh one.")
    private Path lora;

    @Mixin
    private PromptOptions prompts;

    @Option(names = "--eval-prompts", paramLabel = "LIST", description = "Prompts that are sampled and never trained on, as --prompts; default: the unseen ones of a built-in list.")
    private String evalPrompts;

    @Mixin
    private RewardOptions reward;

    @Mixin
    private MethodOptions method;

    @Mixin
    private SamplerOptions sampler;

    @Option(names = "--updates", paramLabel = "N", defaultValue = "100", description = "Updates of the weights; default: ${DEFAULT-VALUE}.")
    private int updates;

    @Option(names = "--batch-size", paramLabel = "N", defaultValue = "128", description = "Images per update; default: ${DEFAULT-VALUE}.")
    private int batchSize;

    @Option(names = "--micro-batch-size", paramLabel = "N", defaultValue = "1", description = "Images that go through the chain together: memory against speed; default: ${DEFAULT-VALUE}.")
    private int microBatchSize;

    @Option(names = "--learning-rate", paramLabel = "LR", defaultValue = "1e-3", description = "Of AdamW; default: ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(names = "--lr-schedule", paramLabel = "SCHEDULE", defaultValue = "constant", description = "constant, linear or cosine (to 0); default: ${DEFAULT-VALUE}.")
    private Schedule schedule;

    @Option(names = "--warmup", paramLabel = "N", defaultValue = "0", description = "Updates in which the learning rate rises from 0; default: ${DEFAULT-VALUE}.")
    private int warmup;

    @Option(names = "--weight-decay", paramLabel = "WD", defaultValue = "1e-4", description = "Of AdamW; default: ${DEFAULT-VALUE}.")
    private double weightDecay;

    @Option(names = "--adam-betas", paramLabel = "B1,B2", hideParamSyntax = true, split = ",|" + Settings.SEPARATOR, defaultValue = "0.9,0.999", description = "Decay of AdamW's moments; default: ${DEFAULT-VALUE}.")
    private List<Double> betas;

    @Option(names = "--max-grad-norm", paramLabel = "NORM", defaultValue = "1", description = "Gradients are clipped to this global norm; 0: not at all; default: ${DEFAULT-VALUE}.")
    private double maxGradNorm;

    @Option(names = "--max-skipped-updates", paramLabel = "N", defaultValue = "3",
            description = "An update whose loss or gradient is not finite is skipped; more than N in a row end the run; default: ${DEFAULT-VALUE}.")
    private int maxSkipped;

    @Option(names = "--ema", paramLabel = "DECAY", description = "Sample and export a moving average of the weights, e.g. 0.99; default: none.")
    private Double ema;

    @Mixin
    private RegulariserOptions regularisers;

    @Option(names = "--trainable", paramLabel = "WHAT", defaultValue = "lora", description = "lora (low-rank updates beside frozen weights), or full (all weights of the UNet, in float32; the result is a whole model; learning-rate 1e-5 by default); default: ${DEFAULT-VALUE}.")
    private Trainable trainable;

    @Option(names = "--lora-rank", paramLabel = "R", defaultValue = "4", description = "Default: ${DEFAULT-VALUE}.")
    private int loraRank;

    @Option(names = "--lora-alpha", paramLabel = "ALPHA", description = "The update is scaled by alpha/rank; default: the rank.")
    private Double loraAlpha;

    @Option(names = "--lora-targets", paramLabel = "NAME,NAME", hideParamSyntax = true, split = ",|" + Settings.SEPARATOR, description = "Layers that get a LoRA: attention (to_k,to_q,to_v,to_out.0), all-linear, conv, or ends of names such as ff.net.2; default: attention.")
    private List<String> loraTargets;

    @Option(names = "--lora-naming", paramLabel = "NAMING", defaultValue = "peft", description = "Names in LoRA files: peft (lora_A, lora_B), diffusers (lora.down, lora.up, for older loaders) or kohya (lora_down, lora_up, alpha: A1111, ComfyUI); default: ${DEFAULT-VALUE}.")
    private LoraFile.Naming loraNaming;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of prompts, noise, truncation and fresh weights; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--save-every", paramLabel = "N", defaultValue = "1", description = "Updates between checkpoints; default: ${DEFAULT-VALUE}.")
    private int saveEvery;

    @Option(names = "--keep-checkpoints", paramLabel = "N", defaultValue = "3", description = "Newest checkpoints that stay; 0: all; default: ${DEFAULT-VALUE}.")
    private int keepCheckpoints;

    @Option(names = "--sample-every", paramLabel = "N", defaultValue = "10", description = "Updates between sample grids; 0: only the first and the last; default: ${DEFAULT-VALUE}.")
    private int sampleEvery;

    @Option(names = "--sample-images", paramLabel = "N", defaultValue = "4", description = "Most images of training prompts in a sample grid, and as many of prompts never trained on; default: ${DEFAULT-VALUE}.")
    private int sampleImages;

    @Option(names = "--memory", paramLabel = "BYTES", description = "What an update may take on the device, such as 6g or 800m: what is stored and what is recomputed is chosen for the least recomputation; default: denoising steps are recomputed one by one.")
    private String memory;

    enum Schedule { CONSTANT, LINEAR, COSINE }

    /// What the flags ask for, found possible before a model is loaded or a folder made.
    record Request(MethodSettings method, OptimizerSettings optimizer, LoraConfig adapters, RewardOptions.Loader<? extends Reward> reward,
            SequencedMap<String, RewardOptions.Loader<Reward>> tracked, RewardLoss loss, PromptSource prompts, List<String> heldOut, OptionalLong memory) {
    }

    /// Refuses to share what cannot be shared.
    ///
    /// @param shared whether several devices compute an update
    void checkShared(boolean shared) {
        model.devices().checkShared(shared);
        SettingException.require(!shared || trainable == Trainable.LORA, "--trainable", "lora on several devices (a whole model's gradients are too large to be added up in order)", trainable);
    }

    ModelOptions model() {
        return model;
    }

    Request request() throws IOException {
        boolean embedded = model.embedded();
        MethodSettings how = method.settings();
        SettingException.require(lora == null || trainable == Trainable.LORA, "--lora", "left out with --trainable full (merge puts it into the model first)", lora);
        RewardOptions.Loader<? extends Reward> raised = how.needsGradient() ? reward.choose(embedded) : reward.chooseAny(embedded);
        PromptSource source = prompts.source();
        // All images whose noise is trained are images of training.
        List<String> heldOut = how.trainsWeights() ? prompts.heldOut(evalPrompts) : List.of();
        reward.requireScorable(source.prompts());
        reward.requireScorable(heldOut);
        return new Request(how, optimizer(), adapters(), raised, reward.track(embedded), how.loss(reward.loss()), source,
                heldOut, memory == null ? OptionalLong.empty() : OptionalLong.of(ByteSize.parse("--memory", memory)));
    }

    /// Says which prompts are longer than the text encoder reads.
    void sayCutPrompts(PrintWriter out, Request request, StableDiffusion loaded) {
        CutPrompts.say(out, loaded, request.prompts().prompts(), sampler.negativePrompt());
    }

    /// The settings of a run of a model.
    ///
    /// @throws SettingException if they do not fit it
    TrainConfig config(Request request, StableDiffusion loaded) {
        SettingException.require(batchSize >= 1, "--batch-size", "1 or more", batchSize);
        int images = request.method().trainsWeights() ? batchSize : Math.min(request.prompts().size(), Math.max(1, sampleImages));
        int together = request.method().trainsWeights() ? microBatchSize : Math.min(images, microBatchSize);
        return new TrainConfig(sampler.settings(loaded), request.method(), request.loss(), request.adapters(), request.optimizer(), updates, images,
                together, seed, saveEvery, keepCheckpoints, sampleEvery, sampleImages, loraNaming, regularisers.settings(), trainable);
    }

    /// What is trained, on what.
    ///
    /// @param objective on the model's backend, as `tracked`
    TrainLoop.Task task(Request request, StableDiffusion loaded, Reward objective, Tracked tracked, Optional<ImageFeatures> clip) throws IOException {
        return new TrainLoop.Task(loaded, objective, request.prompts(), request.heldOut(), start(), tracked, clip, model::writeWith);
    }

    /// What measures diversity, where there is such; its model lives until it is closed.
    Optional<ImageFeatures> clip(Backend backend) throws IOException {
        return regularisers.clip(backend, model.embedded(), reward.clip());
    }

    private Optional<SequencedMap<String, LoraFile.Update>> start() throws IOException {
        return lora == null ? Optional.empty() : Optional.of(LoraFile.read(lora, OptionalDouble.empty()));
    }

    /// Loads what is measured beside the reward.
    Tracked tracked(Request request, Backend backend) throws IOException {
        return RewardOptions.load(request.tracked(), backend, microBatchSize);
    }

    private OptimizerSettings optimizer() {
        SettingException.require(updates >= 1, "--updates", "1 or more", updates);
        SettingException.require(learningRate >= 0 && Double.isFinite(learningRate), "--learning-rate", "0 or more", learningRate);
        SettingException.require(warmup >= 0 && warmup <= updates, "--warmup", "0.." + updates + " (the updates)", warmup);
        LearningRateSchedule rates = switch (schedule) {
            case CONSTANT -> new LearningRateSchedule.Constant(learningRate, warmup);
            case LINEAR -> new LearningRateSchedule.Linear(learningRate, warmup, updates);
            case COSINE -> new LearningRateSchedule.Cosine(learningRate, warmup, updates);
        };
        SettingException.require(betas.size() == 2, "--adam-betas", "two numbers, such as 0.9,0.999", betas.size());
        SettingException.require(weightDecay >= 0 && Double.isFinite(weightDecay), "--weight-decay", "0 or more", weightDecay);
        AdamW.Hyperparameters adamw = SettingException.named("--adam-betas",
                () -> new AdamW.Hyperparameters(betas.getFirst(), betas.getLast(), AdamW.Hyperparameters.DEFAULT.eps(), weightDecay));
        SettingException.require(maxGradNorm >= 0 && Double.isFinite(maxGradNorm), "--max-grad-norm", "0 (no clipping) or more", maxGradNorm);
        GradientClip clip = maxGradNorm == 0 ? GradientClip.NONE : new GradientClip(maxGradNorm);
        SettingException.require(ema == null || ema >= 0 && ema < 1, "--ema", "0 or more and below 1", ema);
        return new OptimizerSettings(rates, adamw, clip, ema == null ? OptionalDouble.empty() : OptionalDouble.of(ema), maxSkipped);
    }

    private LoraConfig adapters() {
        SettingException.require(loraRank >= 1 && loraRank <= LARGEST_RANK, "--lora-rank", "1.." + LARGEST_RANK, loraRank);
        SettingException.require(loraAlpha == null || Double.isFinite(loraAlpha) && loraAlpha != 0, "--lora-alpha", "a finite number other than 0", loraAlpha);
        return SettingException.named("--lora-targets", () -> new LoraConfig(loraRank, loraAlpha == null ? loraRank : loraAlpha, loraTargets == null ? LoraConfig.ATTENTION : loraTargets));
    }
}
