package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.Resampling;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `image.cu`: what {@link dev.retrograd.core.ImageKernels} asks for.
final class ImageKernels {
    private static final String MODULE = "image";

    private final Launcher launcher;

    ImageKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void upsampleNearest(int factor, Tensor x, Tensor y) {
        upsample("upsampleNearest", "upsample_nearest_", factor, x, y, x, y);
    }

    void upsampleNearestBackward(int factor, Tensor dy, Tensor dx) {
        upsample("upsampleNearestBackward", "upsample_nearest_bwd_", factor, dx, dy, dy, dx);
    }

    private void upsample(String what, String kernel, int factor, Tensor small, Tensor large, Tensor from, Tensor to) {
        requireImages(what, small, large);
        if (large.dim(1) != small.dim(1) * factor || large.dim(2) != small.dim(2) * factor) {
            throw new ShapeException(what + ": " + factor + " times the height and width are required, got " + small + " and " + large);
        }
        launcher.arguments().i64(address(from)).i64(address(to)).i64(to.elements()).i64(small.dim(1)).i64(small.dim(2)).i64(small.dim(3)).i64(factor);
        launcher.overElements(MODULE, kernel + Launcher.suffix(to.dtype()), to.elements());
    }

    private static void requireImages(String what, Tensor a, Tensor b) {
        Launcher.sameType(what, Launcher.ACTIVATIONS, a, b);
        if (a.shape().rank() != 4 || b.shape().rank() != 4 || a.dim(0) != b.dim(0) || a.dim(3) != b.dim(3)) {
            throw new ShapeException(what + ": two [B,H,W,C] with the same B and C are required, got " + a + " and " + b);
        }
    }

    void resize(Resampling how, Tensor x, Tensor y) {
        resample("resize", "resize_", how, x, y, x, y);
    }

    void resizeBackward(Resampling how, Tensor dy, Tensor dx) {
        resample("resizeBackward", "resize_bwd_", how, dx, dy, dy, dx);
    }

    private void resample(String what, String kernel, Resampling how, Tensor x, Tensor y, Tensor from, Tensor to) {
        requireImages(what, x, y);
        launcher.arguments().i64(address(from)).i64(address(to)).i64(to.elements()).i64(x.dim(3))
                .i64s(axis(how, x.dim(1), y.dim(1))).i64s(axis(how, x.dim(2), y.dim(2)));
        launcher.overElements(MODULE, kernel + Launcher.suffix(to.dtype()), to.elements());
    }

    /// The struct of one axis: sizes, the filter's radius, whether it widens.
    private static long[] axis(Resampling how, int in, int out) {
        int radius = switch (how.filter()) {
            case BILINEAR -> 1;
            case BICUBIC -> 2;
        };
        return new long[] {in, out, radius, how.antialias() ? 1 : 0};
    }
}
