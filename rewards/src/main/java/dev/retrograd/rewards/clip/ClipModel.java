package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.rewards.RewardFiles;
import dev.retrograd.unet.StateDict;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A CLIP model from a Hugging Face folder, frozen, on a backend: tokenizer, both towers and their projections.
///
/// It owns its weights; {@link #close()} frees them. Source: arXiv 2103.00020. Parity: transformers `CLIPModel`.
public final class ClipModel implements AutoCloseable {
    /// Old files carry the positions 0, 1, … as tensors.
    private static final Set<String> OLD_POSITION_IDS = Set.of("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids");

    private final Backend backend;
    private final StateDict weights;
    private final ClipPreprocessing preprocessing;
    private final Optional<ClipTokenizer> tokenizer;
    private final ClipTextEncoder text;
    private final Linear textProjection;
    private final ClipVisionEncoder vision;
    private final Parameter logitScale;

    /// @param where what messages call the model
    private ClipModel(String where, ClipConfig config, StateDict weights, ClipPreprocessing preprocessing, Optional<ClipTokenizer> tokenizer) throws IOException {
        this.backend = weights.backend();
        this.weights = weights;
        this.preprocessing = preprocessing;
        this.tokenizer = tokenizer;
        if (tokenizer.isPresent()) {
            requireFit(where, config.text(), tokenizer.get());
        }
        text = new ClipTextEncoder(config.text(), weights.in("text_model"));
        textProjection = Linear.load(weights.in("text_projection"), config.text().width(), config.projection(), false);
        vision = new ClipVisionEncoder(config.vision(), config.projection(), weights);
        logitScale = weights.get("logit_scale");
        weights.requireAllRead(OLD_POSITION_IDS::contains);
    }

    private static void requireFit(String where, ClipTextConfig text, ClipTokenizer tokenizer) throws ModelFormatException {
        if (tokenizer.vocabularySize() > text.vocabulary()) {
            throw new ModelFormatException(where + ": the tokenizer's ids must be below vocab_size " + text.vocabulary() + ", got " + (tokenizer.vocabularySize() - 1));
        }
        if (tokenizer.options().maxLength() > text.positions()) {
            throw new ModelFormatException(where + ": the tokenizer's model_max_length must be at most max_position_embeddings " + text.positions()
                    + ", got " + tokenizer.options().maxLength());
        }
    }

    /// Loads a folder with `config.json`, `model.safetensors` or `pytorch_model.bin` or the index of several such files, the tokenizer's files, and `preprocessor_config.json` if it has one.
    ///
    /// @throws ModelFormatException if a file is missing, damaged, or describes a model that is not supported; the message names it
    public static ClipModel load(Backend backend, Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new ModelFormatException(folder + ": a CLIP model folder is required, but " + (Files.exists(folder) ? "this is a file" : "there is none"));
        }
        ClipConfig config = ClipConfig.read(folder.resolve("config.json"));
        ClipPreprocessing preprocessing = ClipPreprocessing.read(folder, config.vision().imageSize());
        Optional<ClipTokenizer> tokenizer = Optional.of(ClipTokenizer.load(folder));
        try (TensorFile tensors = RewardFiles.openTransformers(folder)) {
            return of(backend, folder.toString(), config, tensors, preprocessing, tokenizer);
        }
    }

    /// Loads a model by transformers' names.
    ///
    /// @param where what messages call the model
    /// @param tokenizer empty for a model whose texts come as ids
    static ClipModel of(Backend backend, String where, ClipConfig config, TensorFile tensors, ClipPreprocessing preprocessing, Optional<ClipTokenizer> tokenizer) throws IOException {
        StateDict weights = new StateDict(tensors.source(), tensors, backend);
        boolean loaded = false;
        try {
            ClipModel model = new ClipModel(where, config, weights, preprocessing, tokenizer);
            loaded = true;
            return model;
        } finally {
            if (!loaded) {
                weights.close();
            }
        }
    }

    public Backend backend() {
        return backend;
    }

    /// As the folder's `preprocessor_config.json` says.
    public ClipPreprocessing preprocessing() {
        return preprocessing;
    }

    /// Length of the feature vectors that images and texts share.
    public int featureWidth() {
        return textProjection.outFeatures();
    }

    public ClipVisionEncoder vision() {
        return vision;
    }

    /// The natural logarithm of the factor that training multiplied similarities with, `[]`.
    public Parameter logitScale() {
        return logitScale;
    }

    /// Features of images.
    ///
    /// @param pixelValues `[B,S,S,3]`, as {@link ClipImageTransform} gives them
    /// @return `[B,projection]`, not of unit length
    public Var imageFeatures(Var pixelValues) {
        return vision.forward(pixelValues).features();
    }

    /// Features of texts, of which the tokenizer keeps as many tokens as the model has positions.
    ///
    /// @return `[B,projection]`, not of unit length
    /// @throws IllegalArgumentException if there is no text
    /// @throws IllegalStateException if it was loaded without a tokenizer
    public Var textFeatures(Tape t, List<String> texts) {
        ClipTokenizer words = tokenizer.orElseThrow(() -> new IllegalStateException("clip: a tokenizer is required for texts, got a model that was loaded without"));
        return textFeatures(t, texts.stream().map(s -> words.tokenize(s).ids()).toArray(int[][]::new));
    }

    /// As {@link #textFeatures(Tape, List)}, of token ids, one row for each text.
    public Var textFeatures(Tape t, int[]... ids) {
        return textProjection.forward(text.forward(t, ids).pooled().to(t.activations())).to(DType.F32);
    }

    @Override public void close() {
        weights.close();
    }
}
