package dev.retrograd.unet.file;

import dev.retrograd.core.DType;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNet;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A model of which the configurations are enough: its weights have shapes, and values only where a file happens to have them.
///
/// Whatever lacks a file of weights is taken to be float32. For backends that do not compute.
final class ConfigsOnly implements ModelFiles {
    private final String source;
    private final Configs configs;
    private final Optional<DiffusersFolder> folder;
    private final Optional<Path> tokenizer;
    private final List<String> notes = new ArrayList<>();

    ConfigsOnly(String source, Configs configs, Options options) {
        this.source = source;
        this.configs = configs;
        folder = Optional.empty();
        tokenizer = options.tokenizer();
    }

    ConfigsOnly(Path path, Options options) throws IOException {
        DiffusersFolder files = new DiffusersFolder(path, options);
        source = files.source();
        configs = files::config;
        folder = Optional.of(files);
        tokenizer = options.tokenizer().or(() -> Optional.of(path.resolve("tokenizer")).filter(Files::isDirectory));
    }

    @Override public String source() {
        return source;
    }

    @Override public ModelConfig config(Component component) throws IOException {
        return configs.of(component);
    }

    @Override public TensorFile weights(Component component) throws IOException {
        if (folder.isPresent() && folder.get().hasWeights(component)) {
            return folder.get().weights(component);
        }
        if (folder.isPresent()) {
            notes.add(component.folder() + " has no weights there: taken as float32");
        }
        return ShapeFile.of(source + " " + component.folder(), DType.F32, switch (component) {
            case TEXT_ENCODER -> w -> new ClipTextEncoder(ClipTextConfig.of(config(component)), w.in("text_model"));
            case UNET -> w -> new UNet(UNetConfig.of(config(component)), w);
            case VAE -> w -> new VaeDecoder(VaeConfig.of(config(component)), w);
            case SCHEDULER -> throw new IllegalArgumentException("weights: a component with weights is required, got the scheduler");
        });
    }

    @Override public ClipTokenizer tokenizer() throws IOException {
        return tokenizer.isPresent() ? ClipTokenizer.load(tokenizer.get()) : ClipTokenizer.standard();
    }

    /// @throws IOException always: a model without weights is not written anywhere
    @Override public void writeTokenizer(Path to) throws IOException {
        throw new IOException(source + ": is planned from its configurations only, and cannot be exported");
    }

    @Override public List<String> notes() {
        return List.copyOf(notes);
    }

    @Override public void close() {
        folder.ifPresent(DiffusersFolder::close);
    }
}
