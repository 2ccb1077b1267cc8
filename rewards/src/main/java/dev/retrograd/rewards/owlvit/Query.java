package dev.retrograd.rewards.owlvit;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Unary;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.unet.text.ClipTokenizer;
import dev.retrograd.unet.text.TextCleaning;
import dev.retrograd.unet.text.TokenizerOptions;
import java.io.IOException;
import java.nio.file.Path;

/// An OWL-ViT that looks for one thing. It owns model and query; {@link #close()} frees both.
final class Query implements AutoCloseable {
    private final OwlVit model;
    private final Parameter features;

    private Query(OwlVit model, Parameter features) {
        this.model = model;
        this.features = features;
    }

    /// @param tokenizer with CLIP's vocabulary; texts are cut and padded with 0 to the model's length, as upstream
    /// @throws ModelFormatException as {@link OwlVit#load}
    static Query load(Backend backend, Path folder, ClipTokenizer tokenizer, String text) throws IOException {
        if (text.isBlank()) {
            throw new IllegalArgumentException("owlvit: a query is required, got '" + text + "'");
        }
        OwlVit model = OwlVit.load(backend, folder);
        boolean loaded = false;
        try {
            if (tokenizer.vocabularySize() > model.vocabulary()) {
                throw new ModelFormatException(folder + ": the tokenizer's ids must be below vocab_size " + model.vocabulary() + ", got " + (tokenizer.vocabularySize() - 1));
            }
            int[] ids = tokenizer.with(new TokenizerOptions(TextCleaning.TRANSFORMERS, 0, model.textPositions())).tokenize(text).ids();
            Query query = new Query(model, model.query(ids));
            loaded = true;
            return query;
        } finally {
            if (!loaded) {
                model.close();
            }
        }
    }

    /// Features of patches, as {@link OwlVit#patches}.
    Var patches(Var pixels) {
        return model.patches(model.pixelValues(pixels));
    }

    /// How surely each patch shows it, 0..1, `[B,P]`.
    Var confidences(Var patches) {
        Tape t = patches.tape();
        Var logits = model.logits(patches, t.parameter(features));
        return logits.reshape(logits.dim(0), logits.dim(1)).apply(Unary.SIGMOID);
    }

    /// Boxes of the patches, as {@link OwlVit#boxes}.
    Var boxes(Var patches) {
        return model.boxes(patches);
    }

    @Override public void close() {
        features.close();
        model.close();
    }
}
