package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.LayerNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.BroadcastTo;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.Conv2d;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.unet.text.ClipLayer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// CLIP's image tower, a vision transformer, with its projection into the space shared with texts.
///
/// Source: arXiv 2103.00020; arXiv 2010.11929 (vision transformer). Parity: transformers `CLIPVisionModelWithProjection`.
public final class ClipVisionEncoder {
    private final ClipVisionConfig config;
    private final Parameter classEmbedding;
    private final Parameter patchKernel;
    private final Parameter positions;
    private final LayerNorm preNorm;
    private final List<ClipLayer> layers = new ArrayList<>();
    private final LayerNorm postNorm;
    private final Linear projection;

    /// @param projection length of the feature vectors
    /// @param w weights by transformers' names: those below `vision_model`, and `visual_projection.weight`
    public ClipVisionEncoder(ClipVisionConfig config, int projection, Weights w) throws IOException {
        this.config = config;
        int width = config.width();
        Weights model = w.in("vision_model");
        Weights embeddings = model.in("embeddings");
        classEmbedding = embeddings.get("class_embedding", width);
        patchKernel = embeddings.kernel("patch_embedding.weight", width, 3, config.patchSize(), config.patchSize());
        positions = embeddings.get("position_embedding.weight", config.tokens(), width);
        // The misspelling is CLIP's; OWL-ViT has it right.
        preNorm = LayerNorm.load(model.in(model.has("pre_layernorm.weight") ? "pre_layernorm" : "pre_layrnorm"), config.eps(), width);
        for (int i = 0; i < config.layers(); i++) {
            layers.add(new ClipLayer(model.in("encoder.layers." + i), width, config.heads(), config.feedForward(), config.eps(), config.activation(), false));
        }
        postNorm = LayerNorm.load(model.in("post_layernorm"), config.eps(), width);
        this.projection = Linear.load(w.in("visual_projection"), width, projection, false);
    }

    public ClipVisionConfig config() {
        return config;
    }

    /// What the tower gives.
    ///
    /// @param last output of the last layer, before the final normalisation, `[B,tokens,width]`
    /// @param pooled the first token of `last`, normalised, `[B,width]`
    /// @param features projected, `[B,projection]`, float32; not of unit length. The others are in the backend's activations
    public record Encoding(Var last, Var pooled, Var features) {
    }

    /// Encodes images.
    ///
    /// @param pixelValues `[B,S,S,3]` with S the configured image size, normalised as {@link ClipImageTransform} does
    /// @throws ShapeException if they are of another size
    public Encoding forward(Var pixelValues) {
        Var last = tokens(pixelValues);
        Var pooled = normalised(last.apply(new Slice(1, 0, 1)).reshape(last.dim(0), config.width()));
        return new Encoding(last, pooled, last.tape().named("image_embeds", projection.forward(pooled).to(DType.F32)));
    }

    /// The output of the last layer alone, `[B,tokens,width]`.
    ///
    /// @param pixelValues as for {@link #forward}
    /// @throws ShapeException if they are of another size
    public Var tokens(Var pixelValues) {
        Shape shape = pixelValues.shape();
        if (shape.rank() != 4 || !shape.equals(Shape.of(shape.dim(0), config.imageSize(), config.imageSize(), 3))) {
            throw new ShapeException("clip: images must be [B," + config.imageSize() + "," + config.imageSize() + ",3], got " + shape);
        }
        Tape t = pixelValues.tape();
        Var h = t.named("embeddings", preNorm.forward(embed(t, pixelValues)));
        for (int i = 0; i < layers.size(); i++) {
            ClipLayer layer = layers.get(i);
            h = t.segment1("vision_model.encoder.layers." + i, in -> layer.forward(in[0]), h);
        }
        return t.named("last_hidden_state", h);
    }

    /// The final normalisation of some or all tokens, `[...,width]`.
    public Var normalised(Var tokens) {
        return postNorm.forward(tokens);
    }

    /// One token for the whole image, one for each patch, and where they are: `[B,tokens,width]`.
    private Var embed(Tape t, Var pixelValues) {
        int batch = pixelValues.dim(0);
        int width = config.width();
        Var patches = pixelValues.to(t.activations()).apply(new Conv2d(ConvSpec.square(config.patchSize(), config.patchSize(), 0)), t.parameter(patchKernel))
                .reshape(batch, config.tokens() - 1, width);
        Var whole = t.parameter(classEmbedding).apply(new BroadcastTo(Shape.of(batch, 1, width)));
        Var places = t.parameter(positions);
        return whole.to(t.activations()).apply(new Concat(1), patches).plus(places.to(t.activations()).reshape(1, config.tokens(), width));
    }
}
