package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.rewards.DifferentiableReward;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// How well an image fits its prompt: the cosine of their CLIP features, −1..1, without the logit scale.
///
/// Prompts are encoded once, with nothing recorded, and kept: one feature vector for each different prompt. The reward holds that and the
/// model in backend memory; {@link #close()} frees both. Source: arXiv 2103.00020; as a score of images: CLIPScore, arXiv 2104.08718
/// (which clamps at 0 and multiplies by 2.5).
public final class ClipSimilarity implements DifferentiableReward {
    private final ClipModel model;
    private final ClipImageTransform transform;
    private final Map<String, Parameter> texts = new HashMap<>();

    /// @param model is closed with this reward
    public ClipSimilarity(ClipModel model, ClipPreprocessing preprocessing) {
        this.model = model;
        transform = new ClipImageTransform(model.backend(), preprocessing);
    }

    /// Loads a CLIP folder and preprocesses as it says.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link ClipModel#load}
    public static ClipSimilarity load(Backend backend, Path folder) throws IOException {
        ClipModel model = ClipModel.load(backend, folder);
        return new ClipSimilarity(model, model.preprocessing());
    }

    /// As {@link #load(Backend, Path)}, resized another way, such as {@link ClipPreprocessing#ALIGNPROP}.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link ClipModel#load}
    public static ClipSimilarity load(Backend backend, Path folder, Resampling how) throws IOException {
        ClipModel model = ClipModel.load(backend, folder);
        return new ClipSimilarity(model, model.preprocessing().with(how));
    }

    @Override public String name() {
        return "clip";
    }

    /// Encodes prompts ahead of their use, outside of whatever {@link #score} is recorded in.
    @Override public void prepare(List<String> prompts) {
        prompts.forEach(this::features);
    }

    /// Cosines of images and their prompts.
    ///
    /// @param pixels `[B,H,W,3]` RGB in [0,1]; of a rectangle, the centre counts
    /// @throws IllegalArgumentException unless there is one prompt for each image
    @Override public Var score(Var pixels, List<String> prompts) {
        if (pixels.shape().rank() > 0 && prompts.size() != pixels.dim(0)) {
            throw new IllegalArgumentException("clip: one prompt for each of " + pixels.dim(0) + " images is required, got " + prompts.size());
        }
        Tape t = pixels.tape();
        return score(pixels, t.apply(new Concat(0), prompts.stream().map(p -> t.parameter(features(p))).toArray(Var[]::new)));
    }

    /// Cosines of images and texts.
    ///
    /// @param text features of unit length, `[B,projection]`
    Var score(Var pixels, Var text) {
        Var unit = pixels.tape().named("image_embeds_normalised", UnitLength.of(model.imageFeatures(transform.forward(pixels))));
        int batch = unit.dim(0);
        return unit.times(text).apply(new SumTo(Shape.of(batch, 1), 1)).reshape(batch);
    }

    ClipModel model() {
        return model;
    }

    /// A prompt's features of unit length, `[1,projection]`. Each prompt is encoded alone, so that its bits do not depend on its neighbours.
    private Parameter features(String prompt) {
        Parameter known = texts.get(prompt);
        if (known != null) {
            return known;
        }
        Backend b = model.backend();
        try (Scope _ = b.memory().open("clip text"); Tape tape = new Tape(b, Segment.Policy.STORE_ALL)) {
            Var unit = tape.unrecorded(() -> UnitLength.of(model.textFeatures(tape, List.of(prompt))));
            Parameter features = new Parameter("clip features of a prompt", unit.value(), false);
            texts.put(prompt, features);
            return features;
        }
    }

    @Override public void close() {
        texts.values().forEach(Parameter::close);
        texts.clear();
        transform.close();
        model.close();
    }
}
