package dev.retrograd.trainer.cli;

import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.LearningRateSchedule;
import dev.retrograd.core.Backend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.OptimizerSettings;
import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.TrainConfig;
import dev.retrograd.trainer.TrainLoop;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.trainer.report.HtmlReport;
import dev.retrograd.trainer.report.ModelCard;
import dev.retrograd.trainer.report.RunRecorder;
import dev.retrograd.unet.LoraConfig;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd train`: aligns a model to a reward.
@Command(name = "train", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Aligns a model to a reward: samples images, and trains a LoRA to raise their reward, by AlignProp, which sends the reward's gradient back through the denoising chain, or by one of its rivals.",
        footer = {"", "Settings come from the method's defaults, the preset of the model inside the jar (without --model), then --config, then flags."})
final class Train implements Callable<Integer> {
    /// Beyond any layer's width a low-rank update is none.
    private static final int LARGEST_RANK = 1 << 13;
    private static final DateTimeFormatter RUN_NAME = DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmmss");

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

    @Option(names = "--output", paramLabel = "DIR", description = "Run folder; default: runs/<date-time>.")
    private Path output;

    @Option(names = "--resume", paramLabel = "WHERE", description = "Go on with a run: its folder, one of its checkpoints, or latest (in --output or runs/).")
    private String resume;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON, e.g. the config.json of a run; flags override them.")
    private Path config;

    @Option(names = "--open-report", description = "Serve the run's page on this machine while it trains, and open a browser where there is one.")
    private boolean openReport;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    enum Schedule { CONSTANT, LINEAR, COSINE }

    /// What the flags ask for, found possible before a model is loaded or a folder made.
    private record Request(MethodSettings method, OptimizerSettings optimizer, LoraConfig adapters, RewardOptions.Loader<? extends Reward> reward,
            SequencedMap<String, RewardOptions.Loader<Reward>> tracked, RewardLoss loss, PromptSource prompts, List<String> heldOut, Resume from) {
    }

    @Override public Integer call() throws IOException {
        MethodSettings how = method.settings();
        RewardOptions.Loader<? extends Reward> raised = how.needsGradient() ? reward.choose(model.embedded()) : reward.chooseAny(model.embedded());
        Request request = new Request(how, optimizer(), adapters(), raised, reward.track(model.embedded()), how.loss(reward.loss()), prompts.source(),
                prompts.heldOut(evalPrompts), Resume.find(resume, output));
        Path folder = request.from().run().or(() -> Optional.ofNullable(output)).orElseGet(() -> Path.of("runs", LocalDateTime.now().format(RUN_NAME)));
        try (Interrupt interrupt = main.interruptible(); Backend backend = model.backend(spec.commandLine().getOut()); RunDirectory run = RunDirectory.open(folder)) {
            if (run.isUsed() && resume == null) {
                throw new IOException(folder + ": holds a run already; go on with --resume " + folder + " or choose another --output");
            }
            return train(request, backend, run, interrupt);
        }
    }

    /// Closes what measures diversity, where there is such.
    private record Measure(Optional<ImageFeatures> clip) implements AutoCloseable {
        @Override public void close() {
            clip.ifPresent(ImageFeatures::close);
        }
    }

    private int train(Request request, Backend backend, RunDirectory run, Interrupt interrupt) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        try (StableDiffusion loaded = model.load(backend, out); Measure measure = new Measure(regularisers.clip(backend, model.embedded(), reward.clip()))) {
            CutPrompts.say(out, loaded, request.prompts().prompts(), sampler.negativePrompt());
            TrainConfig settings = new TrainConfig(sampler.settings(loaded), request.method(), request.loss(), request.adapters(), request.optimizer(), updates, batchSize,
                    microBatchSize, seed, saveEvery, keepCheckpoints, sampleEvery, loraNaming, regularisers.settings());
            Optional<SequencedMap<String, LoraFile.Update>> start = lora == null ? Optional.empty() : Optional.of(LoraFile.read(lora, OptionalDouble.empty()));
            try (Reward objective = request.reward().on(backend);
                    Tracked tracked = RewardOptions.load(request.tracked(), backend, microBatchSize);
                    RunProgress progress = new RunProgress(out);
                    RunRecorder recorder = new RunRecorder(progress);
                    TrainLoop loop = new TrainLoop(new TrainLoop.Task(loaded, objective, request.prompts(), request.heldOut(), start, tracked, measure.clip()), settings, run, recorder, interrupt::requested)) {
                if (resume != null) {
                    goOn(out, request.from(), run, loop);
                }
                run.writeConfig(Settings.of(spec.commandLine()));
                run.writeEnvironment(Environment.current(model.device()));
                recorder.start(run.tensorBoard(), loop.updates());
                announce(out, run, loop, settings, objective);
                TrainLoop.Ending ending;
                try (LiveReport _ = openReport ? LiveReport.open(run.folder(), out) : LiveReport.NONE) {
                    ending = loop.run();
                }
                Path report = HtmlReport.write(run.folder());
                if (ending == TrainLoop.Ending.DONE) {
                    ModelCard.write(run.folder(), run.loraFolder(), model.name());
                    out.println("LoRA: " + run.loraFolder().resolve(LoraFile.NAME));
                    out.println("pictures: " + run.sample("before-after") + ", reward curve: " + run.rewardChart());
                    out.println("report: " + report);
                }
                return ending == TrainLoop.Ending.STOPPED ? ExitCode.INTERRUPTED : ExitCode.DONE;
            }
        }
    }

    /// Goes on from the newest checkpoint that is whole.
    private static void goOn(PrintWriter out, Resume from, RunDirectory run, TrainLoop loop) throws IOException {
        ModelFormatException newest = null;
        for (Path checkpoint : from.checkpoints()) {
            try {
                loop.resume(checkpoint);
                if (newest != null) {
                    out.println(newest.getMessage());
                    out.println("going on from the one before: " + checkpoint);
                }
                return;
            } catch (ModelFormatException e) {
                newest = newest == null ? e : newest;
            }
        }
        if (newest != null) {
            throw newest;
        }
        run.rewind(0);
        from.say(out);
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

    private void announce(PrintWriter out, RunDirectory run, TrainLoop loop, TrainConfig c, Reward objective) {
        out.println("model " + model.name() + ", " + c.sampler().width() + "x" + c.sampler().height() + " pixels, " + c.sampler().steps() + (c.sampler().edict().isPresent() ? " EDICT steps, guidance " : " DDIM steps, guidance ")
                + c.sampler().guidance() + ", eta " + c.sampler().eta());
        out.println("LoRA rank " + c.lora().rank() + " on " + String.join(", ", c.lora().targets()) + ": " + loop.lora().elements() + " trainable values");
        out.println("method " + c.method());
        out.println("reward " + objective.name() + ", loss " + c.loss() + ", " + c.updates() + " updates of " + c.batchSize() + " images");
        out.println("run folder " + run.folder() + (loop.updates() > 0 ? ", going on after update " + loop.updates() : ""));
        out.flush();
    }
}
