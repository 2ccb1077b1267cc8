package dev.retrograd.unet;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;

/// Between the ecosystem's channels-first images and the channels-last ones in here.
public final class Layout {
    private static final int[] TO_LAST = {0, 2, 3, 1};
    private static final int[] TO_FIRST = {0, 3, 1, 2};

    private Layout() {
    }

    /// `[B,C,H,W]` values as a tensor `[B,H,W,C]`.
    public static Tensor channelsLast(Backend b, String name, Shape nchw, float... values) {
        try (Scope scope = b.memory().open(name)) {
            return scope.keep(channelsLast(b, b.floats(name, nchw, values)));
        }
    }

    /// A tensor `[B,C,H,W]` as `[B,H,W,C]`.
    public static Tensor channelsLast(Backend b, Tensor nchw) {
        Tensor out = b.empty(nchw.name(), nchw.spec().with(Shape.of(nchw.dim(0), nchw.dim(2), nchw.dim(3), nchw.dim(1))));
        b.permute(nchw, TO_LAST, out);
        return out;
    }

    /// A tensor `[B,H,W,C]` as `[B,C,H,W]` values; also a kernel `[O,Kh,Kw,I]` as `[O,I,Kh,Kw]`.
    public static float[] channelsFirst(Backend b, Tensor nhwc) {
        try (Scope _ = b.memory().open(nhwc.name())) {
            Tensor out = b.empty(nhwc.name(), nhwc.spec().with(Shape.of(nhwc.dim(0), nhwc.dim(3), nhwc.dim(1), nhwc.dim(2))));
            b.permute(nhwc, TO_FIRST, out);
            return b.toFloats(out);
        }
    }
}
