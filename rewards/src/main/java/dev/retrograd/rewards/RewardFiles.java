package dev.retrograd.rewards;

import dev.retrograd.core.io.ModelFormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Finds a reward model's files by the names under which they are published.
public final class RewardFiles {
    /// Weights of a transformers folder.
    public static final List<String> TRANSFORMERS = List.of("model.safetensors", "pytorch_model.bin");

    private RewardFiles() {
    }

    /// The first of these files that a folder has.
    ///
    /// @throws ModelFormatException if it has none, or is no folder
    public static Path find(Path folder, List<String> names) throws ModelFormatException {
        if (!Files.isDirectory(folder)) {
            throw new ModelFormatException(folder + ": a folder with a reward model is required, but " + (Files.exists(folder) ? "this is a file" : "there is none"));
        }
        for (String name : names) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                return file;
            }
        }
        throw new ModelFormatException(folder + ": must have one of " + String.join(", ", names));
    }
}
