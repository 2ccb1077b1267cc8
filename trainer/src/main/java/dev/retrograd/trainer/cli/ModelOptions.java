package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.StableDiffusion;
import dev.retrograd.unet.file.ModelFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Option;

/// Which model, and where it runs.
final class ModelOptions {
    @Option(names = "--model", paramLabel = "PATH", description = "Stable Diffusion 1.x or 2.x: a diffusers folder, or a single file (.safetensors, .ckpt); without it, the small model inside the jar.")
    private Path model;

    @Option(names = "--tokenizer", paramLabel = "DIR", description = "Folder of a tokenizer; default: the model's own, and CLIP's for a single file.")
    private Path tokenizer;

    @Option(names = "--prediction-type", paramLabel = "TYPE", description = "What a single file's UNet predicts: epsilon or v_prediction; default: epsilon for 1.x; for 2.x v_prediction, unless the file says otherwise.")
    private Prediction prediction;

    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = "auto", description = "auto or cpu; default: ${DEFAULT-VALUE}.")
    private Device device;

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; default: one per core. The result does not depend on it.")
    private Integer threads;

    enum Device { AUTO, CPU }

    enum Prediction { EPSILON, V_PREDICTION }

    boolean embedded() {
        return model == null;
    }

    /// What to call the model.
    String name() {
        return embedded() ? "the model inside the jar" : model.toString();
    }

    Backend backend() {
        CpuBackend.Options options = CpuBackend.Options.defaults();
        return new CpuBackend(threads == null ? options : SettingException.named("--threads", () -> options.withThreads(threads)));
    }

    /// Loads the model, and says what its files left to be known.
    ///
    /// @throws IOException if it is missing, damaged or not supported
    StableDiffusion load(Backend backend, PrintWriter out) throws IOException {
        ModelFiles.Options how = new ModelFiles.Options(Optional.ofNullable(tokenizer), Optional.ofNullable(prediction).map(p -> p.name().toLowerCase(Locale.ROOT)));
        if (!embedded()) {
            StableDiffusion loaded = StableDiffusion.load(backend, model, how);
            loaded.notes().forEach(note -> out.println(model + ": " + note));
            return loaded;
        }
        SettingException.require(tokenizer == null, "--tokenizer", "given with --model only", tokenizer);
        SettingException.require(prediction == null, "--prediction-type", "given with --model only", prediction);
        try (EmbeddedModel unpacked = EmbeddedModel.unpack()) {
            return StableDiffusion.load(backend, unpacked.files().model());
        }
    }
}
