package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.PixelBatch;
import java.io.IOException;
import java.nio.file.Path;

/// Images as feature vectors of unit length: preprocessing, CLIP's image tower, projection, normalisation; differentiable in the pixels.
public final class ImageFeatures implements AutoCloseable {
    private final ClipModel model;
    private final ClipImageTransform transform;

    /// @param model is closed with this object
    public ImageFeatures(ClipModel model, ClipPreprocessing preprocessing) {
        this.model = model;
        transform = new ClipImageTransform(model.backend(), preprocessing);
    }

    /// Loads a CLIP folder and preprocesses as it says.
    ///
    /// @throws dev.retrograd.core.io.ModelFormatException as {@link ClipModel#load}
    public static ImageFeatures load(Backend backend, Path folder) throws IOException {
        ClipModel model = ClipModel.load(backend, folder);
        return new ImageFeatures(model, model.preprocessing());
    }

    /// Length of the feature vectors.
    public int width() {
        return model.featureWidth();
    }

    /// Features of images.
    ///
    /// @param pixels `[B,H,W,3]` RGB in [0,1]; of a rectangle, the centre counts
    /// @return `[B,C]`, rows of length 1
    public Var of(Var pixels) {
        return pixels.tape().named("image_embeds_normalised", UnitLength.of(model.imageFeatures(transform.forward(pixels))));
    }

    /// As {@link #of(Var)}, of images on the host with nothing recorded.
    ///
    /// @return `[B,C]`, row by row
    public float[] of(PixelBatch images) {
        Backend b = model.backend();
        try (Scope _ = b.memory().open("features"); Tape t = new Tape(b, Segment.Policy.STORE_ALL)) {
            return t.unrecorded(() -> b.toFloats(of(t.constant(b.floats("pixels", images.shape(), images.pixels()))).value()));
        }
    }

    @Override public void close() {
        transform.close();
        model.close();
    }
}
