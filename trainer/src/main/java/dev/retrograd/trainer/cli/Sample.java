package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.trainer.ChainNoise;
import dev.retrograd.trainer.Sampler;
import dev.retrograd.trainer.SamplerSettings;
import dev.retrograd.trainer.image.GenerationParameters;
import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `retrograd sample`: makes images from a model and a LoRA.
@Command(name = "sample", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Makes images. A seed gives the starting latents that diffusers draws from torch's CPU generator for the same batch.")
final class Sample implements Callable<Integer> {
    @Mixin
    private ModelOptions model;

    @Option(names = "--lora", paramLabel = "FILE", description = "LoRA, a file or its folder.")
    private Path lora;

    @Option(names = "--lora-scale", paramLabel = "SCALE", defaultValue = "1", description = "Factor of the LoRA; default: ${DEFAULT-VALUE}.")
    private double loraScale;

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

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        if (imagesPerPrompt < 1 || atOnce < 1) {
            throw new IllegalArgumentException((atOnce < 1 ? "--micro-batch-size" : "--images-per-prompt") + ": must be 1 or more, got " + Math.min(imagesPerPrompt, atOnce));
        }
        List<String> texts = new ArrayList<>();
        for (String prompt : prompts.source().prompts()) {
            for (int i = 0; i < imagesPerPrompt; i++) {
                texts.add(prompt);
            }
        }
        Files.createDirectories(output);
        try (Backend backend = model.backend(); StableDiffusion loaded = model.load(backend)) {
            SamplerSettings settings = sampler.settings(loaded);
            Sampler images = new Sampler(loaded, settings);
            if (lora == null) {
                write(out, texts, settings, draw(out, texts, loaded, images));
            } else {
                try (LoraWeights _ = LoraWeights.of(backend, loaded.unet(), LoraFile.read(lora, OptionalDouble.empty()), loraScale)) {
                    write(out, texts, settings, draw(out, texts, loaded, images));
                }
            }
        }
        return ExitCode.DONE;
    }

    private PixelBatch draw(PrintWriter out, List<String> texts, StableDiffusion loaded, Sampler images) {
        SamplerSettings s = images.settings();
        ChainNoise noise = new ChainNoise.Seeded(seed, texts.size(), s.eta() > 0 ? s.steps() : 0, s.latentShape(loaded));
        try (RunProgress progress = new RunProgress(out)) {
            progress.began("sampling", (long) texts.size() * s.steps());
            return images.images(texts, noise, atOnce, progress::progressed);
        }
    }

    private void write(PrintWriter out, List<String> texts, SamplerSettings s, PixelBatch images) throws IOException {
        List<RgbImage> pictures = RgbImage.of(images);
        for (int i = 0; i < pictures.size(); i++) {
            GenerationParameters how = new GenerationParameters(texts.get(i), s.negativePrompt(), s.steps(), "DDIM", s.guidance(), seed, s.width(), s.height(), model.name());
            PngFile.write(output.resolve("%03d.png".formatted(i)), pictures.get(i), how.texts());
        }
        PngFile.write(output.resolve("grid.png"), ImageGrid.of(pictures.size(), s.width()).compose(pictures), Map.of());
        out.println(pictures.size() + (pictures.size() == 1 ? " image" : " images") + " and grid.png in " + output);
    }
}
