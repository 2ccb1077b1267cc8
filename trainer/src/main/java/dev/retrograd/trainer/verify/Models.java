package dev.retrograd.trainer.verify;

import dev.retrograd.core.Backend;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// The models that checks need, each loaded once and kept until {@link #close()}.
final class Models implements AutoCloseable {
    private final Backend backend;
    private final Map<Path, StableDiffusion> loaded = new HashMap<>();

    Models(Backend backend) {
        this.backend = backend;
    }

    StableDiffusion stableDiffusion(Path folder) throws IOException {
        StableDiffusion model = loaded.get(folder);
        if (model == null) {
            model = StableDiffusion.load(backend, folder);
            loaded.put(folder, model);
        }
        return model;
    }

    @Override public void close() {
        loaded.values().forEach(StableDiffusion::close);
        loaded.clear();
    }
}
