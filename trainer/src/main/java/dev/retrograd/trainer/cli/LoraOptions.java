package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import picocli.CommandLine.Option;

/// Which finished LoRAs a model wears, and how strongly.
final class LoraOptions {
    @Option(names = "--lora", paramLabel = "FILE[:SCALE]", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "LoRA in diffusers', peft's or kohya's naming: a file or its folder, and a factor of its own after a colon; may be repeated, they add up.")
    private List<String> loras;

    @Option(names = "--lora-scale", paramLabel = "SCALE", defaultValue = "1", description = "Factor of all LoRAs; default: ${DEFAULT-VALUE}.")
    private double scale;

    /// A LoRA and its factor.
    record Choice(Path file, double scale) {
    }

    /// Attached LoRAs, which come off at the end.
    record Attached(List<LoraWeights> all) implements AutoCloseable {
        @Override public void close() {
            all.reversed().forEach(LoraWeights::close);
        }
    }

    /// @throws SettingException if a factor is not a finite number
    List<Choice> choices() {
        SettingException.require(Double.isFinite(scale), "--lora-scale", "a finite number", scale);
        return loras == null ? List.of() : loras.stream().map(l -> choice(l, scale)).toList();
    }

    /// A file with or without a factor, `FILE[:SCALE]`.
    ///
    /// @param scale further factor
    /// @throws SettingException if the factor is not a finite number
    static Choice choice(String text, double scale) {
        int colon = text.lastIndexOf(':');
        boolean factor = colon > 0 && text.substring(colon + 1).matches("[-+]?([0-9.]+([eE][-+]?[0-9]+)?|NaN|Infinity)") && !Files.exists(Path.of(text));
        if (!factor) {
            return new Choice(SettingException.named("--lora", () -> Path.of(text)), scale);
        }
        double own = SettingException.named("--lora", () -> Double.parseDouble(text.substring(colon + 1)));
        SettingException.require(Double.isFinite(own), "--lora", "followed by a finite number", text);
        return new Choice(Path.of(text.substring(0, colon)), own * scale);
    }

    /// Puts LoRAs onto a model.
    ///
    /// @throws IOException if a file is missing or damaged
    /// @throws IllegalArgumentException if one does not fit the model, naming file and module
    static Attached attach(StableDiffusion model, List<Choice> choices) throws IOException {
        List<LoraWeights> all = new ArrayList<>();
        boolean done = false;
        try {
            for (Choice c : choices) {
                var updates = LoraFile.read(c.file(), OptionalDouble.empty());
                try {
                    all.add(LoraWeights.of(model, updates, c.scale()));
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException(c.file() + ": " + e.getMessage(), e);
                }
            }
            done = true;
            return new Attached(all);
        } finally {
            if (!done) {
                new Attached(all).close();
            }
        }
    }
}
