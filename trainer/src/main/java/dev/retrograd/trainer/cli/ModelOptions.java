package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.pretrain.RandomModel;
import dev.retrograd.unet.ParameterFile;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.file.ModelExport;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Which model, and where it runs.
final class ModelOptions {
    @Option(names = "--model", paramLabel = "PATH", description = "Stable Diffusion 1.x or 2.x: a diffusers folder, or a single file (.safetensors, .ckpt); without it, the small model inside the jar.")
    private Path model;

    @Option(names = "--arch", paramLabel = "ARCH", description = "A model of full size with random weights, made in memory, to try a machine with: sd15, sd21 or tiny (see make-random-model); instead of --model.")
    private RandomModel.Arch arch;

    @Mixin
    private DeviceOptions device;

    @Option(names = "--tokenizer", paramLabel = "DIR", description = "Folder of a tokenizer; default: the model's own, and CLIP's for a single file.")
    private Path tokenizer;

    @Option(names = "--prediction-type", paramLabel = "TYPE", description = "What a single file's UNet predicts: epsilon or v_prediction; default: epsilon for 1.x; for 2.x v_prediction, unless the file says otherwise.")
    private Prediction prediction;

    @Option(names = "--clip-skip", paramLabel = "N", defaultValue = "0", description = "Last layers of the text encoder that are left out, as diffusers counts them (A1111's Clip skip is one more); default: ${DEFAULT-VALUE}.")
    private int clipSkip;

    enum Prediction { EPSILON, V_PREDICTION }

    boolean embedded() {
        return model == null && arch == null;
    }

    /// What to call the model.
    String name() {
        return arch != null ? named(arch) + ", random weights" : embedded() ? "the model inside the jar" : model.toString();
    }

    int clipSkip() {
        return clipSkip;
    }

    /// How to read a model's files.
    static ModelFiles.Options reading(Path tokenizer, Prediction prediction, int clipSkip) {
        SettingException.require(clipSkip >= 0, "--clip-skip", "0 or more", clipSkip);
        return new ModelFiles.Options(Optional.ofNullable(tokenizer), Optional.ofNullable(prediction).map(p -> p.name().toLowerCase(Locale.ROOT)), clipSkip);
    }

    Backend backend(PrintWriter out) {
        return device.open(out);
    }

    /// The first of several devices, for a command that can use them.
    ///
    /// @param all as {@link DeviceOptions#several} names them
    Backend backend(PrintWriter out, List<String> all, int which) {
        return device.open(out, all, which);
    }

    /// The device that {@link #backend} opened.
    String device() {
        return device.opened();
    }

    DeviceOptions devices() {
        return device;
    }

    private static String named(RandomModel.Arch arch) {
        return arch.name().toLowerCase(Locale.ROOT);
    }

    /// The model without its values, for a plan; of a folder, its configurations are enough.
    ///
    /// @throws IOException if a configuration is missing or describes what is not supported
    StableDiffusion shapes(PlanBackend plan) throws IOException {
        if (arch != null) {
            requireNoFile();
            return StableDiffusion.shapes(plan, ModelFiles.shapes(named(arch), arch::describe, how()), how());
        }
        if (!embedded()) {
            return shapes(plan, model);
        }
        try (EmbeddedModel unpacked = EmbeddedModel.unpack()) {
            return shapes(plan, unpacked.files().model());
        }
    }

    private StableDiffusion shapes(PlanBackend plan, Path path) throws IOException {
        return StableDiffusion.shapes(plan, ModelFiles.shapes(path, how()), how());
    }

    private void requireNoFile() {
        SettingException.require(model == null, "--arch", "given without --model", named(arch));
    }

    private ModelFiles.Options how() {
        return reading(tokenizer, prediction, clipSkip);
    }

    /// Loads the model, and says what its files left to be known.
    ///
    /// @throws IOException if it is missing, damaged or not supported
    StableDiffusion load(Backend backend, PrintWriter out) throws IOException {
        if (arch != null) {
            requireNoFile();
            return StableDiffusion.load(backend, RandomModel.files(arch, 0, how()), how());
        }
        if (!embedded()) {
            StableDiffusion loaded = StableDiffusion.load(backend, model, how());
            loaded.notes().forEach(note -> out.println(model + ": " + note));
            return loaded;
        }
        SettingException.require(tokenizer == null, "--tokenizer", "given with --model only", tokenizer);
        SettingException.require(prediction == null, "--prediction-type", "given with --model only", prediction);
        try (EmbeddedModel unpacked = EmbeddedModel.unpack()) {
            return StableDiffusion.load(backend, unpacked.files().model(), how());
        }
    }

    /// Writes the whole model with other weights of the UNet, as a diffusers folder.
    ///
    /// @throws IOException if the model cannot be read again, or the folder not be written
    void writeWith(Path folder, ParameterFile unet) throws IOException {
        if (!embedded()) {
            write(model, folder, unet);
            return;
        }
        try (EmbeddedModel unpacked = EmbeddedModel.unpack()) {
            write(unpacked.files().model(), folder, unet);
        }
    }

    private void write(Path from, Path folder, ParameterFile unet) throws IOException {
        try (ModelFiles files = ModelFiles.open(from, how())) {
            new ModelExport(files, List.of(), Optional.empty()).withUNet(unet).folder(folder);
        }
    }
}
