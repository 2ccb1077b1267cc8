package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegFileSize;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.clip.HeadWeights;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.fit.FeatureTable;
import dev.retrograd.trainer.fit.HeadFit;
import dev.retrograd.trainer.fit.ImageFiles;
import dev.retrograd.trainer.fit.ImageSource;
import dev.retrograd.trainer.fit.SampledImages;
import dev.retrograd.trainer.fit.ScoreFile;
import dev.retrograd.trainer.image.ImageFile;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd fit-reward`: makes a differentiable reward of any score of images.
@Command(name = "fit-reward", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Fits a small network on CLIP's image features to scores of images, and so makes a differentiable reward of any score.",
        footer = {"", "The images are those of --images, or are sampled from a model. The result: train --reward fitted --reward-head FILE --reward-model DIR."})
final class FitReward implements Callable<Integer> {
    private static final int LINES = 10;
    private static final List<String> OF_SAMPLING = List.of("--model", "--prompts", "--prompt", "--count", "--steps", "--guidance", "--eta", "--height", "--width", "--negative-prompt");
    private static final List<String> OF_SCORING = List.of("--score", "--goal", "--jpeg-quality");

    @Option(names = "--clip", paramLabel = "DIR", description = "CLIP as a transformers folder, whose features the reward is read off; without it, the small one inside the jar.")
    private Path clip;

    @Option(names = "--images", paramLabel = "DIR", description = "Folder of PNG and JPEG files to fit on; without it, images are sampled.")
    private Path images;

    @Option(names = "--score", paramLabel = "SCORE", defaultValue = "jpeg", description = "What is fitted: jpeg, the size of a JPEG file in KB, signed by --goal; default: ${DEFAULT-VALUE}.")
    private Score score;

    @Option(names = "--goal", paramLabel = "GOAL", defaultValue = "smaller", description = "Which files --score jpeg finds good: smaller or larger; default: ${DEFAULT-VALUE}.")
    private FileSizeGoal goal;

    @Option(names = "--jpeg-quality", paramLabel = "Q", defaultValue = "95", description = "Of the JPEG files, 1..100; default: ${DEFAULT-VALUE}.")
    private int jpegQuality;

    @Option(names = "--scores", paramLabel = "FILE", description = "Scores of your own instead of --score: CSV, a line file,score for each image of --images that counts; more is better.")
    private Path scores;

    @Option(names = "--name", paramLabel = "NAME", description = "What the reward is called in metrics; default: fitted- and the score.")
    private String name;

    @Mixin
    private ModelOptions model;

    @Mixin
    private PromptOptions prompts;

    @Option(names = "--count", paramLabel = "N", defaultValue = "256", description = "Images to sample; default: ${DEFAULT-VALUE}.")
    private int count;

    @Mixin
    private SamplerOptions sampler;

    @Option(names = "--micro-batch-size", paramLabel = "N", defaultValue = "4", description = "Images that are sampled, or go through CLIP, together; default: ${DEFAULT-VALUE}.")
    private int atOnce;

    @Option(names = "--hidden", paramLabel = "N,N", split = ",|" + Settings.SEPARATOR, defaultValue = "128,32", hideParamSyntax = true,
            description = "Widths of the layers between features and score; 0: none, a linear function of the features; default: ${DEFAULT-VALUE}.")
    private List<Integer> hidden;

    @Option(names = "--activation", paramLabel = "F", defaultValue = "silu", description = "Between layers: none, relu, gelu, silu or tanh; default: ${DEFAULT-VALUE}.")
    private HeadWeights.Activation activation;

    @Option(names = "--updates", paramLabel = "N", defaultValue = "1000", description = "Updates of the network's weights; default: ${DEFAULT-VALUE}.")
    private int updates;

    @Option(names = "--batch-size", paramLabel = "N", defaultValue = "64", description = "Images per update; default: ${DEFAULT-VALUE}.")
    private int batchSize;

    @Option(names = "--learning-rate", paramLabel = "LR", defaultValue = "1e-3", description = "Peak rate of AdamW, which falls with a cosine; default: ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(names = "--weight-decay", paramLabel = "WD", defaultValue = "1e-2", description = "Of AdamW; default: ${DEFAULT-VALUE}.")
    private double weightDecay;

    @Option(names = "--held-out", paramLabel = "SHARE", defaultValue = "0.2", description = "Share of the images that only measure; default: ${DEFAULT-VALUE}.")
    private double heldOut;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of sampling, of what is held out, and of the fit; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--output", paramLabel = "FILE", defaultValue = "reward-head.safetensors", description = "Where the fitted network goes; default: ${DEFAULT-VALUE}.")
    private Path output;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON; flags override them.")
    private Path config;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    enum Score { JPEG }

    /// Images, and what they score.
    private record Rated(ImageSource images, FeatureTable.Scorer scorer) {
    }

    @Override public Integer call() throws IOException {
        HeadFit.Settings settings = new HeadFit.Settings(widths(), activation, updates, batchSize, learningRate, weightDecay, heldOut, seed);
        refuseWhatDoesNotGoTogether();
        String called = name == null ? "fitted-" + (scores == null ? scorer().name() : "scores") : name;
        SettingException.named("--name", () -> HeadWeights.requireName(called));
        PrintWriter out = spec.commandLine().getOut();
        try (Interrupt interrupt = main.interruptible(); Backend backend = model.backend(out); OutputFolder _ = OutputFolder.make(output.toAbsolutePath().getParent())) {
            HeadFit.Result result = new HeadFit(backend, settings).fit(called, table(backend, out, interrupt), (update, loss) -> {
                stopIf(interrupt);
                if (update % Math.max(1, updates / LINES) == 0) {
                    out.println(String.format(Locale.ROOT, "update %d/%d  loss %.4f", update, updates, loss));
                    out.flush();
                }
            });
            result.head().write(output);
            out.println("fitted:   " + result.fitted());
            out.println("held out: " + result.heldOut());
            out.println("reward " + called + ", " + shape(result.head()) + ": train --reward fitted --reward-head " + output + (clip == null ? "" : " --reward-model " + clip));
        } catch (StopRequested e) {
            out.println("stopped before the reward was fitted; nothing is written");
            return ExitCode.INTERRUPTED;
        }
        return ExitCode.DONE;
    }

    private static void stopIf(Interrupt interrupt) {
        if (interrupt.requested()) {
            throw new StopRequested();
        }
    }

    private List<Integer> widths() {
        return hidden.equals(List.of(0)) ? List.of() : hidden;
    }

    private JpegFileSize scorer() {
        return switch (score) {
            case JPEG -> new JpegFileSize(goal, SettingException.named("--jpeg-quality", () -> new JpegSettings(jpegQuality, JpegSettings.Chroma.HALF)));
        };
    }

    private void refuseWhatDoesNotGoTogether() {
        SettingException.require(atOnce >= 1, "--micro-batch-size", "1 or more", atOnce);
        SettingException.require(count >= 1, "--count", "1 or more", count);
        SettingException.require(!Files.isDirectory(output), "--output", "a file", "the folder " + output);
        SettingException.require(scores == null || images != null, "--scores", "given with --images, the folder of the files that it scores", "no --images");
        if (images != null) {
            refuse(OF_SAMPLING, "--images gives the images");
        }
        if (scores != null) {
            refuse(OF_SCORING, "--scores gives the scores");
        }
    }

    private void refuse(List<String> options, String reason) {
        options.stream().filter(spec.commandLine().getParseResult()::hasMatchedOption).findFirst().ifPresent(option -> {
            throw new SettingException(option + ": must be left out where " + reason + ", got both");
        });
    }

    private FeatureTable table(Backend backend, PrintWriter out, Interrupt interrupt) throws IOException {
        if (clip != null) {
            return table(backend, out, interrupt, clip);
        }
        try (EmbeddedModel inside = EmbeddedModel.unpack()) {
            return table(backend, out, interrupt, inside.files().clip());
        }
    }

    private FeatureTable table(Backend backend, PrintWriter out, Interrupt interrupt, Path folder) throws IOException {
        try (ImageFeatures tower = ImageFeatures.load(backend, folder)) {
            if (images != null) {
                return table(backend, out, interrupt, tower, rated());
            }
            try (StableDiffusion loaded = model.load(backend, out)) {
                SamplerSettings s = sampler.settings(loaded);
                s.check(loaded);
                return table(backend, out, interrupt, tower, new Rated(new SampledImages(loaded, s, prompts.source(), count, seed, atOnce), blackBox()));
            }
        }
    }

    private FeatureTable table(Backend backend, PrintWriter out, Interrupt interrupt, ImageFeatures tower, Rated rated) throws IOException {
        int size = rated.images().size();
        try (RunProgress progress = new RunProgress(out)) {
            progress.began("features", size);
            FeatureTable table = FeatureTable.of(tower, rated.images(), rated.scorer(), done -> {
                stopIf(interrupt);
                progress.progressed(done);
            });
            progress.said(size + " images, " + (images == null ? "sampled from " + model.name() : "of " + images) + ", features of length " + tower.width() + " from " + (clip == null ? "the CLIP inside the jar" : clip));
            return table;
        }
    }

    private FeatureTable.Scorer blackBox() {
        JpegFileSize size = scorer();
        return (_, pixels, texts) -> size.score(pixels, texts);
    }

    private Rated rated() throws IOException {
        if (scores == null) {
            return new Rated(new ImageFiles(ImageFile.in(images), atOnce), blackBox());
        }
        Map<String, Float> given = ScoreFile.read(scores);
        List<Path> files = new ArrayList<>();
        for (String file : given.keySet()) {
            files.add(images.resolve(file));
            if (!Files.isRegularFile(files.getLast())) {
                throw new IOException(scores + ": every file must be in " + images + ", got '" + file + "', which is not");
            }
        }
        float[] values = new float[files.size()];
        int at = 0;
        for (float value : given.values()) {
            values[at++] = value;
        }
        return new Rated(new ImageFiles(files, atOnce), (first, pixels, _) -> Arrays.copyOfRange(values, first, first + pixels.batch()));
    }

    private static String shape(HeadWeights head) {
        return Stream.concat(Stream.of(head.features()), head.layers().stream().map(HeadWeights.Layer::out)).map(String::valueOf).collect(Collectors.joining("-"));
    }
}
