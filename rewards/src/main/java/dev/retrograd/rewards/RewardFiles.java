package dev.retrograd.rewards;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.ShardedFile;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Finds a reward model's files by the names under which they are published.
public final class RewardFiles {
    /// Weights of a transformers folder, whole or in several files.
    private static final List<String> TRANSFORMERS = List.of("model.safetensors", "pytorch_model.bin", "model.safetensors" + ShardedFile.INDEX, "pytorch_model.bin" + ShardedFile.INDEX);

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

    /// Opens the weights of a transformers folder; close them when they have been loaded.
    ///
    /// @throws ModelFormatException if it has none, or they are damaged
    /// @throws IOException if they cannot be read
    public static TensorFile openTransformers(Path folder) throws IOException {
        Path file = find(folder, TRANSFORMERS);
        return file.toString().endsWith(ShardedFile.INDEX) ? ShardedFile.open(file) : TensorFile.open(file);
    }
}
