package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.Backend;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.unet.StateDict;
import java.io.IOException;
import java.nio.file.Path;

/// Where the files of the miniature model lie.
///
/// @param root of `model`, `clip` and `judge`
public record ModelFolder(Path root) {

    /// The diffusers folder.
    public Path model() {
        return root.resolve("model");
    }

    /// The small CLIP, a folder as transformers writes it.
    public Path clip() {
        return root.resolve("clip");
    }

    /// The judge, which no reward uses.
    public Path judge() {
        return root.resolve("judge");
    }

    /// The aesthetic head, a file that makes the small CLIP's folder one of the aesthetic reward.
    public Path aesthetic() {
        return clip().resolve("aesthetic_head.safetensors");
    }

    /// The preference score, a CLIP folder like the small one.
    public Path preference() {
        return root.resolve("preference");
    }

    Path vaeWeights() {
        return model().resolve("vae/diffusion_pytorch_model.safetensors");
    }

    Path textWeights() {
        return model().resolve("text_encoder/model.safetensors");
    }

    Path unetWeights() {
        return model().resolve("unet/diffusion_pytorch_model.safetensors");
    }

    Path clipWeights() {
        return clip().resolve("model.safetensors");
    }

    Path judgeWeights() {
        return judge().resolve("model.safetensors");
    }

    @FunctionalInterface interface Reader<M> {
        M read(StateDict weights) throws IOException;
    }

    /// A frozen model of one of these files.
    record Frozen<M>(M model, StateDict weights) implements AutoCloseable {
        @Override public void close() {
            weights.close();
        }
    }

    static <M> Frozen<M> read(Backend backend, Path file, Reader<M> reader) throws IOException {
        try (SafeTensors tensors = SafeTensors.open(file)) {
            StateDict weights = new StateDict(file.toString(), tensors, backend);
            boolean read = false;
            try {
                Frozen<M> frozen = new Frozen<>(reader.read(weights), weights);
                read = true;
                return frozen;
            } finally {
                if (!read) {
                    weights.close();
                }
            }
        }
    }
}
