package dev.retrograd.trainer.experiment;

import dev.retrograd.unet.LoraMix;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntPredicate;

/// What is put onto a model before it is measured.
public sealed interface Dress {

    /// Nothing: the model as it came.
    record Base() implements Dress {
    }

    /// A LoRA.
    ///
    /// @param file or its folder
    record Lora(Path file) implements Dress {
    }

    /// A LoRA that is worn at some denoising steps only.
    ///
    /// @param steps whether at a step, 0 (pure noise) .. steps − 1
    record Gated(Path file, IntPredicate steps) implements Dress {
    }

    /// The exact weighted sum of LoRAs.
    record Mix(List<LoraMix.Part> parts) implements Dress {
    }

    /// Another whole model instead.
    record Whole(Path model) implements Dress {
    }
}
