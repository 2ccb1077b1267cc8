package dev.retrograd.unet.file;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// A Stable Diffusion model as somebody saved it, seen as diffusers lays it out: configurations and weights by diffusers' names, whatever the files say.
public interface ModelFiles extends AutoCloseable {

    /// A copy of less is made in no time, and its file can be deleted meanwhile.
    long LARGE_BYTES = 1L << 28;

    /// How to read what a file leaves open.
    ///
    /// @param tokenizer folder of a tokenizer, instead of the model's own or CLIP's
    /// @param prediction `epsilon` or `v_prediction`, where a single file cannot say which
    /// @param clipSkip last layers of the text encoder that are left out, as diffusers' `clip_skip`; A1111's number is one more
    record Options(Optional<Path> tokenizer, Optional<String> prediction, int clipSkip) {
        public static final Options NONE = new Options(Optional.empty(), Optional.empty(), 0);
    }

    /// Opens a diffusers folder or a single-file checkpoint (`.safetensors`, `.ckpt`).
    ///
    /// @throws ModelFormatException if there is none, it is damaged, or another kind of model; the message names it
    static ModelFiles open(Path path, Options options) throws IOException {
        if (Files.isDirectory(path)) {
            return new DiffusersFolder(path, options);
        }
        if (!Files.exists(path)) {
            throw new ModelFormatException(path + ": a diffusers model folder or a checkpoint file is required, but there is none");
        }
        return LdmCheckpoint.open(path, options);
    }

    /// Whether the UNet is so large that weights are best read where the files are mapped, which then stay open.
    ///
    /// @throws ModelFormatException if it is missing or damaged
    default boolean large() throws IOException {
        TensorFile unet = weights(Component.UNET);
        long bytes = 0;
        for (String name : unet.names()) {
            bytes += unet.spec(name).bytes();
        }
        return bytes >= LARGE_BYTES;
    }

    /// As {@link #open}, for a backend that does not compute: of a folder the configurations are enough.
    ///
    /// @throws ModelFormatException if a configuration is missing, or a file that is there is damaged
    static ModelFiles shapes(Path path, Options options) throws IOException {
        return Files.isDirectory(path) ? new ConfigsOnly(path, options) : open(path, options);
    }

    /// Configurations of a model without files.
    @FunctionalInterface
    interface Configs {
        ModelConfig of(Component component) throws IOException;
    }

    /// A model without any file, in float32 and with CLIP's tokenizer, for a backend that does not compute.
    ///
    /// @param source what messages call it
    static ModelFiles shapes(String source, Configs configs, Options options) {
        return new ConfigsOnly(source, configs, options);
    }

    /// What messages call the model.
    String source();

    /// The configuration of a component, as diffusers has it.
    ///
    /// @throws ModelFormatException if it is missing or damaged
    ModelConfig config(Component component) throws IOException;

    /// The weights of a component by diffusers' names; closed with these files.
    ///
    /// @throws ModelFormatException if they are missing or damaged
    TensorFile weights(Component component) throws IOException;

    /// @throws ModelFormatException if its files are missing or unfit
    ClipTokenizer tokenizer() throws IOException;

    /// Writes the tokenizer's files into a folder.
    ///
    /// @throws IOException if it cannot be written
    void writeTokenizer(Path folder) throws IOException;

    /// What a user should know about how the files were read, in sentences; often nothing.
    List<String> notes();

    @Override void close();
}
