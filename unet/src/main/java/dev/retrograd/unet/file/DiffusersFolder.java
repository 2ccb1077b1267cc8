package dev.retrograd.unet.file;

import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.ShardedFile;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.text.TokenizerFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// A folder as diffusers' `save_pretrained` writes it.
final class DiffusersFolder implements ModelFiles {
    private static final String INDEX = "model_index.json";
    private static final Map<String, String> OTHER_PIPELINES = Map.of("XL", "Stable Diffusion XL", "Diffusion3", "Stable Diffusion 3", "Flux", "Flux",
            "Inpaint", "an inpainting model", "InstructPix2Pix", "InstructPix2Pix", "Depth2Img", "a depth-to-image model", "Upscale", "an upscaler");

    private final Path folder;
    private final Options options;
    private final Map<Component, TensorFile> opened = new EnumMap<>(Component.class);

    /// @throws ModelFormatException if it holds another kind of model
    DiffusersFolder(Path folder, Options options) throws IOException {
        this.folder = folder;
        this.options = options;
        if (options.prediction().isPresent()) {
            throw new IllegalArgumentException("--prediction-type: is for single files; " + folder + " says it in " + Component.SCHEDULER.configPath());
        }
        if (Files.isRegularFile(folder.resolve(INDEX))) {
            String pipeline = ModelConfig.read(folder.resolve(INDEX)).text("_class_name", "");
            for (Map.Entry<String, String> other : OTHER_PIPELINES.entrySet()) {
                if (pipeline.contains(other.getKey())) {
                    throw new ModelFormatException(folder + ": is " + other.getValue() + " (" + pipeline + "); only text-to-image models of Stable Diffusion 1.x and 2.x are supported");
                }
            }
        }
    }

    @Override public String source() {
        return folder.toString();
    }

    @Override public ModelConfig config(Component component) throws IOException {
        return ModelConfig.read(folder.resolve(component.configPath()));
    }

    /// Safetensors before PyTorch, full precision before half precision.
    private static List<String> names(Component component) {
        boolean text = component == Component.TEXT_ENCODER;
        String safetensors = text ? "model" : "diffusion_pytorch_model";
        String pytorch = text ? "pytorch_model" : safetensors;
        return List.of(safetensors + ".safetensors", safetensors + ".fp16.safetensors", pytorch + ".bin", pytorch + ".fp16.bin");
    }

    /// The file of a component's weights, or the index of its shards.
    private Optional<Path> file(Component component) {
        Path place = folder.resolve(component.folder());
        return names(component).stream().flatMap(name -> Stream.of(name, name + ShardedFile.INDEX)).map(place::resolve).filter(Files::isRegularFile).findFirst();
    }

    /// Whether it has a component's weights.
    boolean hasWeights(Component component) {
        return file(component).isPresent();
    }

    @Override public TensorFile weights(Component component) throws IOException {
        TensorFile known = opened.get(component);
        if (known != null) {
            return known;
        }
        Path path = file(component).orElseThrow(() -> new ModelFormatException(folder.resolve(component.folder()) + ": must have one of " + String.join(", ", names(component))));
        TensorFile file = path.toString().endsWith(ShardedFile.INDEX) ? ShardedFile.open(path) : TensorFile.open(path);
        opened.put(component, file);
        return file;
    }

    @Override public ClipTokenizer tokenizer() throws IOException {
        return ClipTokenizer.load(tokenizerFolder());
    }

    private Path tokenizerFolder() {
        return options.tokenizer().orElse(folder.resolve("tokenizer"));
    }

    @Override public void writeTokenizer(Path to) throws IOException {
        TokenizerFolder.copy(tokenizerFolder(), to);
    }

    @Override public List<String> notes() {
        return List.of();
    }

    @Override public void close() {
        opened.values().forEach(TensorFile::close);
        opened.clear();
    }
}
