package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.core.Backend;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import dev.retrograd.unet.file.Component;
import dev.retrograd.unet.file.ModelFiles;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// A Stable Diffusion 1.x or 2.x model from a diffusers folder or a single file, frozen, on a backend: tokenizer, text encoder, UNet, VAE decoder and noise schedule.
///
/// It owns its weights; {@link #close()} frees them.
public final class StableDiffusion implements AutoCloseable {
    private static final Predicate<String> ENCODER = name -> name.startsWith("encoder.") || name.startsWith("quant_conv.");
    /// Old files carry the positions 0..76 as a tensor.
    private static final String OLD_POSITION_IDS = "text_model.embeddings.position_ids";

    private final Backend backend;
    private final ModelFiles files;
    private final Path path;
    private final ModelFiles.Options options;
    private final List<String> notes;
    private final ClipTokenizer tokenizer;
    private final ClipTextEncoder textEncoder;
    private final UNet unet;
    private final VaeDecoder vaeDecoder;
    private final NoiseSchedule schedule;
    private final StateDict textWeights;
    private final StateDict unetWeights;
    private final StateDict vaeWeights;

    private StableDiffusion(Backend backend, ModelFiles files, ModelFiles.Options options, Path path, boolean mapped, List<StateDict> opened) throws IOException {
        this.backend = backend;
        this.files = files;
        this.path = path;
        this.options = options;
        schedule = NoiseSchedule.of(files.config(Component.SCHEDULER));
        tokenizer = files.tokenizer();
        ClipTextConfig textConfig = ClipTextConfig.of(files.config(Component.TEXT_ENCODER));
        textWeights = opened(opened, mapped, Component.TEXT_ENCODER);
        textEncoder = new ClipTextEncoder(textConfig, textWeights.in("text_model"));
        if (options.clipSkip() < 0 || options.clipSkip() >= textConfig.layers()) {
            throw new IllegalArgumentException("--clip-skip: must be 0.." + (textConfig.layers() - 1) + " for a text encoder of " + textConfig.layers() + " layers, got " + options.clipSkip());
        }
        textWeights.requireAllRead(OLD_POSITION_IDS::equals);
        UNetConfig unetConfig = UNetConfig.of(files.config(Component.UNET));
        unetWeights = opened(opened, mapped, Component.UNET);
        unet = new UNet(unetConfig, unetWeights);
        unetWeights.requireAllRead(_ -> false);
        VaeConfig vaeConfig = VaeConfig.of(files.config(Component.VAE));
        vaeWeights = opened(opened, mapped, Component.VAE);
        vaeDecoder = new VaeDecoder(vaeConfig, vaeWeights);
        vaeWeights.requireAllRead(ENCODER);
        requireFit(textConfig, unetConfig, vaeConfig);
        notes = files.notes();
    }

    private StateDict opened(List<StateDict> all, boolean mapped, Component component) throws IOException {
        TensorFile file = files.weights(component);
        StateDict one = mapped ? StateDict.mapped(file.source(), file, backend) : new StateDict(file.source(), file, backend);
        all.add(one);
        return one;
    }

    /// Loads a diffusers folder or a single-file checkpoint.
    ///
    /// @throws ModelFormatException if a file is missing, damaged, or describes a model that is not supported; the message names it
    public static StableDiffusion load(Backend backend, Path path) throws IOException {
        return load(backend, path, ModelFiles.Options.NONE);
    }

    /// As {@link #load(Backend, Path)}, with answers to what files leave open.
    public static StableDiffusion load(Backend backend, Path path, ModelFiles.Options options) throws IOException {
        return load(backend, ModelFiles.open(path, options), options, path);
    }

    /// A model that need not be a file.
    ///
    /// @param files closed with the model, or here if it fails
    public static StableDiffusion load(Backend backend, ModelFiles files, ModelFiles.Options options) throws IOException {
        return load(backend, files, options, Path.of(files.source()));
    }

    /// A model of which there need be no values, on a backend that does not compute.
    ///
    /// @param files of {@link ModelFiles#shapes}; closed with the model, or here if it fails
    public static StableDiffusion shapes(PlanBackend backend, ModelFiles files, ModelFiles.Options options) throws IOException {
        return load(backend, files, options, Path.of(files.source()));
    }

    private static StableDiffusion load(Backend backend, ModelFiles files, ModelFiles.Options options, Path path) throws IOException {
        List<StateDict> opened = new ArrayList<>();
        boolean done = false;
        boolean mapped = false;
        try {
            mapped = backend.computes() && files.large();
            StableDiffusion model = new StableDiffusion(backend, files, options, path, mapped, opened);
            done = true;
            return model;
        } finally {
            if (!done) {
                opened.forEach(StateDict::close);
            }
            if (!done || !mapped) {
                files.close();
            }
        }
    }

    private void requireFit(ClipTextConfig text, UNetConfig noise, VaeConfig vae) throws ModelFormatException {
        if (text.width() != noise.contextChannels()) {
            throw new ModelFormatException(path + ": the UNet's cross_attention_dim must be the text encoder's hidden_size " + text.width() + ", got " + noise.contextChannels());
        }
        if (vae.latentChannels() != noise.inChannels() || noise.inChannels() != noise.outChannels()) {
            throw new ModelFormatException(path + ": the UNet's in_channels and out_channels must be the VAE's latent_channels " + vae.latentChannels()
                    + ", got " + noise.inChannels() + " and " + noise.outChannels() + " (inpainting models are not supported)");
        }
        if (tokenizer.vocabularySize() > text.vocabulary()) {
            throw new ModelFormatException(path + ": the tokenizer's ids must be below the text encoder's vocab_size " + text.vocabulary() + ", got " + (tokenizer.vocabularySize() - 1));
        }
        if (tokenizer.options().maxLength() > text.positions()) {
            throw new ModelFormatException(path + ": the tokenizer's model_max_length must be at most the text encoder's " + text.positions() + " positions, got " + tokenizer.options().maxLength());
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
        try (ModelFiles files = ModelFiles.open(path, options)) {
            return new VaeEncoder(vaeDecoder.config(), vaeWeights.reopened(files.weights(Component.VAE)));
        }
    }

    /// What a user should know about how the files were read, in sentences; often nothing.
    public List<String> notes() {
        return notes;
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
            return scope.keep(tape.unrecorded(() -> textEncoder.conditioning(textEncoder.forward(tape, ids), options.clipSkip()).value()));
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
        files.close();
    }
}
