package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Resize;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Unary;
import dev.retrograd.rewards.PixelBatch;

/// Pixels as CLIP's image tower takes them: resized, cropped, normalised; differentiable. Parity: transformers `CLIPImageProcessor`.
///
/// Unlike upstream's, pixels are not rounded to 8 bits on the way. Where the bicubic filter overshoots [0,1] they are clamped, as 8-bit
/// images are. It holds two vectors of backend memory; {@link #close()} frees them.
public final class ClipImageTransform implements AutoCloseable {
    private final ClipPreprocessing settings;
    private final Parameter scale;
    private final Parameter shift;

    public ClipImageTransform(Backend backend, ClipPreprocessing settings) {
        this.settings = settings;
        float[] scales = new float[3];
        float[] shifts = new float[3];
        for (int c = 0; c < 3; c++) {
            scales[c] = (float) (1 / settings.std().get(c));
            shifts[c] = (float) (-settings.mean().get(c) / settings.std().get(c));
        }
        try (Scope _ = backend.memory().open("clip normalisation")) {
            scale = new Parameter("1/std", backend.floats("1/std", Shape.of(3), scales), false);
            shift = new Parameter("-mean/std", backend.floats("-mean/std", Shape.of(3), shifts), false);
        }
    }

    public ClipPreprocessing settings() {
        return settings;
    }

    /// @param pixels `[B,H,W,3]` RGB in [0,1]
    /// @return `[B,crop,crop,3]`
    /// @throws dev.retrograd.core.ShapeException if the pixels are not `[B,H,W,3]`
    public Var forward(Var pixels) {
        PixelBatch.requireImages("clip", pixels.shape());
        Tape t = pixels.tape();
        Var cropped = cropped(resized(pixels));
        return t.named("pixel_values", cropped.times(t.parameter(scale)).plus(t.parameter(shift)));
    }

    private Var resized(Var pixels) {
        int rows = pixels.dim(1);
        int columns = pixels.dim(2);
        int edge = settings.shorterEdge();
        int height = rows <= columns ? edge : longer(edge, rows, columns);
        int width = columns <= rows ? edge : longer(edge, columns, rows);
        if (height == rows && width == columns) {
            return pixels;
        }
        Var resized = pixels.apply(new Resize(settings.how(), height, width));
        return settings.how().filter() == Resampling.Filter.BICUBIC ? resized.apply(Unary.clamp(0, 1)) : resized;
    }

    /// Rounded down, as torchvision and transformers do.
    private static int longer(int edge, int longSide, int shortSide) {
        return Math.toIntExact((long) edge * longSide / shortSide);
    }

    private Var cropped(Var image) {
        int crop = settings.crop();
        Var v = image;
        for (int axis = 1; axis <= 2; axis++) {
            if (v.dim(axis) != crop) {
                v = v.apply(new Slice(axis, (v.dim(axis) - crop) / 2, crop));
            }
        }
        return v;
    }

    @Override public void close() {
        scale.close();
        shift.close();
    }
}
