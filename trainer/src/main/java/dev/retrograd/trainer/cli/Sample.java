package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.image.GenerationParameters;
import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd sample`: makes images from a model and a LoRA.
@Command(name = "sample", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Makes images. A seed gives the starting latents that diffusers draws from torch's CPU generator for the same batch.")
final class Sample implements Callable<Integer> {
    private static final int MOST_IMAGES = 10_000;
    /// Of all images together, which are held in one array.
    private static final int MOST_VALUES = 1 << 30;

    @Mixin
    private ModelOptions model;

    @Mixin
    private LoraOptions loras;

    @Mixin
    private PromptOptions prompts;

    @Option(names = "--images-per-prompt", paramLabel = "N", defaultValue = "1", description = "Default: ${DEFAULT-VALUE}.")
    private int imagesPerPrompt;

    @Mixin
    private SamplerOptions sampler;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of the batch of all images; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--micro-batch-size", paramLabel = "N", defaultValue = "4", description = "Images that go through the chain together; default: ${DEFAULT-VALUE}.")
    private int atOnce;

    @Option(names = "--output", paramLabel = "DIR", defaultValue = "samples", description = "Folder for 000.png, 001.png, … and grid.png; default: ${DEFAULT-VALUE}.")
    private Path output;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON; flags override them.")
    private Path config;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        SettingException.require(atOnce >= 1, "--micro-batch-size", "1 or more", atOnce);
        List<LoraOptions.Choice> chosen = loras.choices();
        List<String> texts = texts();
        try (Interrupt interrupt = main.interruptible(); Backend backend = model.backend(out); OutputFolder _ = OutputFolder.make(output); StableDiffusion loaded = model.load(backend, out)) {
            CutPrompts.say(out, loaded, texts, sampler.negativePrompt());
            Sampler images = new Sampler(loaded, sampler.settings(loaded));
            try (LoraOptions.Attached _ = LoraOptions.attach(loaded, chosen)) {
                write(out, texts, images.settings(), draw(out, texts, loaded, images, interrupt));
            }
        } catch (StopRequested e) {
            out.println("stopped before the images were done; none are written");
            return ExitCode.INTERRUPTED;
        }
        return ExitCode.DONE;
    }

    /// The prompt of each image.
    private List<String> texts() throws IOException {
        List<String> all = prompts.source().prompts();
        int most = MOST_IMAGES / all.size();
        SettingException.require(imagesPerPrompt >= 1 && imagesPerPrompt <= most, "--images-per-prompt", "1.." + most + " for " + all.size() + " prompts", imagesPerPrompt);
        return all.stream().flatMap(prompt -> Collections.nCopies(imagesPerPrompt, prompt).stream()).toList();
    }

    private PixelBatch draw(PrintWriter out, List<String> texts, StableDiffusion loaded, Sampler images, Interrupt interrupt) {
        SamplerSettings s = images.settings();
        SettingException.require((long) texts.size() * s.height() * s.width() * 3 <= MOST_VALUES, "--height and --width", "smaller for " + texts.size() + " images", s.height() + " and " + s.width());
        ChainNoise noise = new ChainNoise.Seeded(seed, texts.size(), s.eta() > 0 ? s.steps() : 0, s.latentShape(loaded));
        try (RunProgress progress = new RunProgress(out)) {
            progress.began("sampling", (long) texts.size() * s.steps());
            return images.images(texts, noise, atOnce, done -> {
                if (interrupt.requested()) {
                    throw new StopRequested();
                }
                progress.progressed(done);
            });
        }
    }

    private void write(PrintWriter out, List<String> texts, SamplerSettings s, PixelBatch images) throws IOException {
        List<RgbImage> pictures = RgbImage.of(images);
        for (int i = 0; i < pictures.size(); i++) {
            GenerationParameters how = new GenerationParameters(texts.get(i), s.negativePrompt(), s.steps(), s.edict().isPresent() ? "EDICT" : "DDIM", s.guidance(), seed, s.width(), s.height(), model.name(), model.clipSkip());
            PngFile.write(output.resolve("%03d.png".formatted(i)), pictures.get(i), how.texts());
        }
        PngFile.write(output.resolve("grid.png"), ImageGrid.of(pictures.size(), s.width()).compose(pictures), Map.of());
        out.println(pictures.size() + (pictures.size() == 1 ? " image" : " images") + " and grid.png in " + output);
    }
}
