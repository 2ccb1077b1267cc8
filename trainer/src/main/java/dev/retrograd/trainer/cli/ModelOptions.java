package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/// Which model, and where it runs.
final class ModelOptions {
    @Option(names = "--model", paramLabel = "DIR", description = "Stable Diffusion 1.x as a diffusers folder; without it, the small model inside the jar.")
    private Path model;

    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = "auto", description = "auto or cpu; default: ${DEFAULT-VALUE}.")
    private Device device;

    @Option(names = "--threads", paramLabel = "N", description = "CPU threads; default: one per core. The result does not depend on it.")
    private Integer threads;

    enum Device { AUTO, CPU }

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

    /// Loads the model.
    ///
    /// @throws IOException if it is missing, damaged or not supported
    StableDiffusion load(Backend backend) throws IOException {
        if (!embedded()) {
            return StableDiffusion.load(backend, model);
        }
        try (EmbeddedModel unpacked = EmbeddedModel.unpack()) {
            return StableDiffusion.load(backend, unpacked.files().model());
        }
    }
}
