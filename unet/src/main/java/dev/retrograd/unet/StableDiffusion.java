package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// A Stable Diffusion 1.x model from a diffusers folder, frozen, on a backend: tokenizer, text encoder, UNet, VAE decoder and noise schedule.
///
/// It owns its weights; {@link #close()} frees them.
public final class StableDiffusion implements AutoCloseable {
    private static final Predicate<String> ENCODER = name -> name.startsWith("encoder.") || name.startsWith("quant_conv.");
    /// Old files carry the positions 0..76 as a tensor.
    private static final String OLD_POSITION_IDS = "text_model.embeddings.position_ids";

    private final Backend backend;
    private final Path folder;
    private final ClipTokenizer tokenizer;
    private final ClipTextEncoder textEncoder;
    private final UNet unet;
    private final VaeDecoder vaeDecoder;
    private final NoiseSchedule schedule;
    private final StateDict textWeights;
    private final StateDict unetWeights;
    private final StateDict vaeWeights;

    private StableDiffusion(Backend backend, Path folder, List<StateDict> opened) throws IOException {
        this.backend = backend;
        this.folder = folder;
        schedule = NoiseSchedule.of(ModelConfig.read(folder.resolve("scheduler/scheduler_config.json")));
        tokenizer = ClipTokenizer.load(folder.resolve("tokenizer"));
        Path text = weights(folder.resolve("text_encoder"), "model");
        ClipTextConfig textConfig = ClipTextConfig.of(ModelConfig.read(folder.resolve("text_encoder/config.json")));
        try (TensorFile file = TensorFile.open(text)) {
            textWeights = opened(opened, new StateDict(text.toString(), file, backend));
            textEncoder = new ClipTextEncoder(textConfig, textWeights.in("text_model"));
            textWeights.requireAllRead(OLD_POSITION_IDS::equals);
        }
        Path noise = weights(folder.resolve("unet"), "diffusion_pytorch_model");
        UNetConfig unetConfig = UNetConfig.of(ModelConfig.read(folder.resolve("unet/config.json")));
        try (TensorFile file = TensorFile.open(noise)) {
            unetWeights = opened(opened, new StateDict(noise.toString(), file, backend));
            unet = new UNet(unetConfig, unetWeights);
            unetWeights.requireAllRead(_ -> false);
        }
        VaeConfig vaeConfig = VaeConfig.of(ModelConfig.read(folder.resolve("vae/config.json")));
        Path vae = vaeFile();
        try (TensorFile file = TensorFile.open(vae)) {
            vaeWeights = opened(opened, new StateDict(vae.toString(), file, backend));
            vaeDecoder = new VaeDecoder(vaeConfig, vaeWeights);
            vaeWeights.requireAllRead(ENCODER);
        }
        requireFit(textConfig, unetConfig, vaeConfig);
    }

    private static StateDict opened(List<StateDict> all, StateDict one) {
        all.add(one);
        return one;
    }

    /// Loads a diffusers folder.
    ///
    /// @throws ModelFormatException if a file is missing, damaged, or describes a model that is not supported; the message names it
    public static StableDiffusion load(Backend backend, Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new ModelFormatException(folder + ": a diffusers model folder is required, but " + (Files.exists(folder) ? "this is a file" : "there is none"));
        }
        List<StateDict> opened = new ArrayList<>();
        boolean done = false;
        try {
            StableDiffusion model = new StableDiffusion(backend, folder, opened);
            done = true;
            return model;
        } finally {
            if (!done) {
                opened.forEach(StateDict::close);
            }
        }
    }

    /// The weight file of a component; safetensors before PyTorch, full precision before half precision.
    private static Path weights(Path component, String name) throws ModelFormatException {
        String pytorch = name.equals("model") ? "pytorch_model" : name;
        List<String> names = List.of(name + ".safetensors", name + ".fp16.safetensors", pytorch + ".bin", pytorch + ".fp16.bin");
        for (String candidate : names) {
            Path file = component.resolve(candidate);
            if (Files.isRegularFile(file)) {
                return file;
            }
        }
        throw new ModelFormatException(component + ": must have one of " + String.join(", ", names));
    }

    private Path vaeFile() throws ModelFormatException {
        return weights(folder.resolve("vae"), "diffusion_pytorch_model");
    }

    private void requireFit(ClipTextConfig text, UNetConfig noise, VaeConfig vae) throws ModelFormatException {
        if (text.width() != noise.contextChannels()) {
            throw new ModelFormatException(folder + ": the UNet's cross_attention_dim must be the text encoder's hidden_size " + text.width() + ", got " + noise.contextChannels());
        }
        if (vae.latentChannels() != noise.inChannels() || noise.inChannels() != noise.outChannels()) {
            throw new ModelFormatException(folder + ": the UNet's in_channels and out_channels must be the VAE's latent_channels " + vae.latentChannels()
                    + ", got " + noise.inChannels() + " and " + noise.outChannels() + " (inpainting models are not supported)");
        }
        if (tokenizer.vocabularySize() > text.vocabulary()) {
            throw new ModelFormatException(folder + ": the tokenizer's ids must be below the text encoder's vocab_size " + text.vocabulary() + ", got " + (tokenizer.vocabularySize() - 1));
        }
        if (tokenizer.options().maxLength() > text.positions()) {
            throw new ModelFormatException(folder + ": the tokenizer's model_max_length must be at most the text encoder's " + text.positions() + " positions, got " + tokenizer.options().maxLength());
        }
    }

    public Backend backend() {
        return backend;
    }

    public ClipTokenizer tokenizer() {
        return tokenizer;
    }

    public ClipTextEncoder textEncoder() {
        return textEncoder;
    }

    public UNet unet() {
        return unet;
    }

    public VaeDecoder vaeDecoder() {
        return vaeDecoder;
    }

    public NoiseSchedule schedule() {
        return schedule;
    }

    /// Reads the VAE's encoder, which sampling and training do not need; its weights are freed with the model's.
    public VaeEncoder loadVaeEncoder() throws IOException {
        Path vae = vaeFile();
        try (TensorFile file = TensorFile.open(vae)) {
            return new VaeEncoder(vaeDecoder.config(), vaeWeights.reopened(file));
        }
    }

    /// Every weight of the UNet by its name in files.
    public Map<String, Parameter> unetParameters() {
        return new HashMap<>(unetWeights.parameters());
    }

    /// Token ids of prompts, padded and truncated as the tokenizer's files say.
    public int[][] tokenize(List<String> prompts) {
        return prompts.stream().map(p -> tokenizer.tokenize(p).ids()).toArray(int[][]::new);
    }

    /// Encodes rows of ids with nothing recorded: `[B,N,width]` in the innermost open scope.
    ///
    /// @throws IllegalArgumentException if an id lies outside the vocabulary
    public Tensor encodeText(int[]... ids) {
        try (Scope scope = backend.memory().open("text encoder"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return scope.keep(tape.unrecorded(() -> textEncoder.forward(tape, ids).last().value()));
        }
    }

    /// Image rows and columns that the model was trained at.
    public int imageSize() {
        return unet.config().sampleSize() * vaeDecoder.config().downscale();
    }

    @Override public void close() {
        textWeights.close();
        unetWeights.close();
        vaeWeights.close();
    }
}
