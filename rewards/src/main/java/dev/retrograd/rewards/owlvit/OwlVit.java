package dev.retrograd.rewards.owlvit;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.LayerNorm;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.autograd.op.Resize;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.RewardFiles;
import dev.retrograd.rewards.clip.ClipConfig;
import dev.retrograd.rewards.clip.ClipImageTransform;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipVisionEncoder;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.StateDict;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// OWL-ViT, frozen, on a backend: for each patch of an image how surely it shows what a text names, and where.
///
/// Both towers are CLIP's; each patch, times the token of the whole image, goes through small heads. Images are resized to the model's
/// square, bicubic and antialiased, whatever their shape. It owns its weights; {@link #close()} frees them.
/// Source: arXiv 2205.06230. Parity: transformers `OwlViTForObjectDetection` and `OwlViTImageProcessor`.
public final class OwlVit implements AutoCloseable {
    /// Texts are read at the place of the largest id, the end token's.
    private static final int LARGEST_ID = 2;
    private static final double LENGTH_EPS = 1e-6;
    private static final double BIAS_EPS = 1e-4;
    private static final Set<String> OLD_POSITION_IDS = Set.of("owlvit.text_model.embeddings.position_ids", "owlvit.vision_model.embeddings.position_ids");

    private final Backend backend;
    private final StateDict weights;
    private final ClipImageTransform transform;
    private final ClipTextEncoder text;
    private final Linear textProjection;
    private final ClipVisionEncoder vision;
    private final LayerNorm norm;
    private final Linear classes;
    private final Linear shift;
    private final Linear scale;
    private final List<Linear> boxes;
    private final Parameter boxBias;

    private OwlVit(ClipConfig config, StateDict weights, ClipPreprocessing preprocessing) throws IOException {
        backend = weights.backend();
        this.weights = weights;
        int width = config.vision().width();
        int textWidth = config.text().width();
        Weights towers = weights.in("owlvit");
        ClipTextConfig t = config.text();
        text = new ClipTextEncoder(new ClipTextConfig(t.vocabulary(), textWidth, t.feedForward(), t.layers(), t.heads(), t.positions(), t.eps(), t.activation(), LARGEST_ID), towers.in("text_model"));
        textProjection = Linear.load(towers.in("text_projection"), textWidth, config.projection(), false);
        vision = new ClipVisionEncoder(config.vision(), config.projection(), towers);
        towers.get("logit_scale");
        norm = LayerNorm.load(weights.in("layer_norm"), config.vision().eps(), width);
        Weights head = weights.in("class_head");
        classes = Linear.load(head.in("dense0"), width, textWidth, true);
        shift = Linear.load(head.in("logit_shift"), width, 1, true);
        scale = Linear.load(head.in("logit_scale"), width, 1, true);
        Weights box = weights.in("box_head");
        boxes = List.of(Linear.load(box.in("dense0"), width, width, true), Linear.load(box.in("dense1"), width, width, true), Linear.load(box.in("dense2"), width, 4, true));
        weights.requireAllRead(OLD_POSITION_IDS::contains);
        transform = new ClipImageTransform(backend, preprocessing);
        int side = config.vision().patchesPerSide();
        try (Scope _ = backend.memory().open("box bias")) {
            boxBias = new Parameter("box bias", backend.floats("box bias", Shape.of(side * side, 4), boxBias(side)), false);
        }
    }

    /// Loads a Hugging Face folder: `config.json`, `model.safetensors` or `pytorch_model.bin` or the index of several such files, and the colours of `preprocessor_config.json` if there is one.
    ///
    /// @throws ModelFormatException if a file is missing, damaged or not supported; the message names it
    public static OwlVit load(Backend backend, Path folder) throws IOException {
        ClipConfig config = ClipConfig.readOwlVit(folder.resolve("config.json"));
        if (config.projection() != config.text().width()) {
            throw new ModelFormatException(folder + ": 'projection_dim' must be the text tower's hidden_size " + config.text().width() + ", got " + config.projection());
        }
        ClipPreprocessing preprocessing = preprocessing(folder.resolve("preprocessor_config.json"), config.vision().imageSize());
        try (TensorFile tensors = RewardFiles.openTransformers(folder)) {
            StateDict weights = new StateDict(tensors.source(), tensors, backend);
            boolean loaded = false;
            try {
                OwlVit model = new OwlVit(config, weights, preprocessing);
                loaded = true;
                return model;
            } finally {
                if (!loaded) {
                    weights.close();
                }
            }
        }
    }

    private static ClipPreprocessing preprocessing(Path file, int imageSize) throws IOException {
        ClipPreprocessing usual = ClipPreprocessing.of(imageSize, ClipPreprocessing.TRANSFORMERS);
        if (!Files.exists(file)) {
            return usual;
        }
        ModelConfig c = ModelConfig.read(file);
        c.only("do_resize", "true");
        c.only("do_normalize", "true");
        c.only("do_rescale", "true");
        if (c.flag("do_center_crop", false)) {
            // Of the size that images have already, it does nothing.
            int crop = c.isObject("crop_size") ? c.object("crop_size").integer("height") : c.integer("crop_size");
            if (crop != imageSize) {
                throw c.refuse("'crop_size' must be the model's image_size " + imageSize + ", got " + crop);
            }
        }
        c.only("resample", "3");
        List<Double> mean = c.has("image_mean") ? Arrays.stream(c.numbers("image_mean", 3)).boxed().toList() : usual.mean();
        List<Double> std = c.has("image_std") ? Arrays.stream(c.numbers("image_std", 3)).boxed().toList() : usual.std();
        return new ClipPreprocessing(imageSize, imageSize, usual.how(), mean, std);
    }

    /// Where a box is before the head says otherwise: at its patch, of its size, as logits.
    private static float[] boxBias(int side) {
        float[] bias = new float[side * side * 4];
        for (int i = 0; i < side * side; i++) {
            bias[4 * i] = logit((i % side + 1.0) / side);
            bias[4 * i + 1] = logit((i / side + 1.0) / side);
            bias[4 * i + 2] = logit(1.0 / side);
            bias[4 * i + 3] = logit(1.0 / side);
        }
        return bias;
    }

    private static float logit(double p) {
        return (float) (Math.log(p + BIAS_EPS) - Math.log1p(-p + BIAS_EPS));
    }

    public Backend backend() {
        return backend;
    }

    /// Tokens that a text may have, start and end included.
    public int textPositions() {
        return text.config().positions();
    }

    /// Ids that a text may consist of.
    public int vocabulary() {
        return text.config().vocabulary();
    }

    /// Features of texts, of unit length. What follows the end token does not count: no token sees those after it.
    ///
    /// @param ids a row for each text
    /// @return `[Q,projection]`
    public Var queries(Tape t, int[]... ids) {
        return unit(textProjection.forward(text.forward(t, ids).pooled().to(t.activations())).to(DType.F32), 0);
    }

    /// Features of one text, computed with nothing recorded, `[1,projection]`; the caller closes them.
    Parameter query(int... ids) {
        try (Scope _ = backend.memory().open("query"); Tape t = new Tape(backend, Segment.Policy.STORE_ALL)) {
            return new Parameter("owlvit features of a query", t.unrecorded(() -> queries(t, ids)).value(), false);
        }
    }

    /// Pixels as the model takes them.
    ///
    /// @param pixels `[B,H,W,3]` RGB in [0,1]
    /// @return `[B,S,S,3]`
    /// @throws dev.retrograd.core.ShapeException if the pixels are not `[B,H,W,3]`
    public Var pixelValues(Var pixels) {
        PixelBatch.requireImages("owlvit", pixels.shape());
        int size = vision.config().imageSize();
        boolean fits = pixels.dim(1) == size && pixels.dim(2) == size;
        return transform.forward(fits ? pixels : pixels.apply(new Resize(transform.settings().how(), size, size)).apply(Unary.clamp(0, 1)));
    }

    /// Features of the patches, row by row, `[B,P,width]`, each times that of the whole image and normalised.
    public Var patches(Var pixelValues) {
        Var all = vision.normalised(vision.tokens(pixelValues));
        Var whole = all.apply(new Slice(1, 0, 1));
        return norm.forward(all.apply(new Slice(1, 1, all.dim(1) - 1)).times(whole));
    }

    /// What patches are compared with texts by, of unit length, `[B,P,projection]`.
    public Var classEmbeds(Var patches) {
        return unit(classes.forward(patches).to(DType.F32), LENGTH_EPS);
    }

    /// How surely each patch shows each query, before the sigmoid, `[B,P,Q]`: `(cosine + shift)·(elu(scale) + 1)`.
    ///
    /// @param queries `[Q,projection]`
    public Var logits(Var patches, Var queries) {
        Var cosine = classEmbeds(patches).apply(new dev.retrograd.autograd.op.Linear(), unit(queries, LENGTH_EPS));
        Var s = scale.forward(patches).to(DType.F32);
        Var positive = s.apply(Unary.RELU).plus(s.apply(Unary.clamp(Double.NEGATIVE_INFINITY, 0)).apply(Unary.EXP));
        return cosine.plus(shift.forward(patches).to(DType.F32)).times(positive);
    }

    /// Boxes in parts of the image's width and height: centre x, centre y, width, height; `[B,P,4]`.
    public Var boxes(Var patches) {
        Var h = boxes.get(0).forward(patches).apply(Unary.GELU);
        Var moved = boxes.get(2).forward(boxes.get(1).forward(h).apply(Unary.GELU)).to(DType.F32);
        return moved.plus(patches.tape().parameter(boxBias)).apply(Unary.SIGMOID);
    }

    /// Rows divided by their length plus a little.
    private static Var unit(Var x, double eps) {
        Var length = x.times(x).apply(new SumTo(x.shape().with(-1, 1), 1)).apply(Unary.SQRT);
        return x.dividedBy(eps == 0 ? length : length.affine(1, eps));
    }

    @Override public void close() {
        boxBias.close();
        transform.close();
        weights.close();
    }
}
