package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.BroadcastTo;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.autograd.op.Permute;
import dev.retrograd.autograd.op.Resize;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.util.ArrayList;
import java.util.List;

/// Baseline JPEG, encoder to quantised coefficients and decoder, differentiable in the pixels.
///
/// Rounding is `⌊x⌉ + (x − ⌊x⌉)³`, all else is linear. Images whose sides are no multiples of the minimum coded unit (MCU, 16 pixels
/// at 4:2:0) are padded by repeating the last row and column, as encoders do. The roundings of YCbCr to 8 bits are left out.
/// Source: ITU-T T.81 (DCT, tables, scan), JFIF 1.02 (colour), arXiv 2309.17400 (rounding). Parity: libjpeg.
final class DifferentiableJpeg implements AutoCloseable {
    private static final Resampling TRIANGLE = new Resampling(Resampling.Filter.BILINEAR, false);

    private final Backend backend;
    private final List<Tensor> owned = new ArrayList<>();
    private final JpegSettings settings;
    private final Tensor encoder;
    private final Tensor encoderBias;
    private final Tensor lumaDecoder;
    private final Tensor chromaDecoder;
    private final Tensor toRgb;
    private final Tensor toRgbBias;

    /// Its matrices live until {@link #close()}.
    public DifferentiableJpeg(Backend backend, JpegSettings settings) {
        this.backend = backend;
        this.settings = settings;
        JpegTransform transform = new JpegTransform(settings);
        int side = settings.mcuSide();
        int outputs = settings.blocks() * 64;
        int luma = settings.lumaBlocks() * 64;
        encoder = owned("jpeg.encoder", transform.encoder(), outputs, side * side * 3);
        encoderBias = owned("jpeg.encoderBias", transform.encoderBias(), outputs);
        lumaDecoder = owned("jpeg.lumaDecoder", transform.lumaDecoder(), luma, luma);
        chromaDecoder = owned("jpeg.chromaDecoder", transform.chromaDecoder(), 128, 128);
        toRgb = owned("jpeg.toRgb", JpegTransform.rgb(), 3, 3);
        toRgbBias = owned("jpeg.toRgbBias", JpegTransform.rgbBias(), 3);
    }

    public JpegSettings settings() {
        return settings;
    }

    /// A constant that lives until {@link #close()}.
    Tensor owned(String name, double[] values, int... dims) {
        try (Scope _ = backend.memory().open(name)) {
            Tensor t = constant(name, values, dims);
            t.storage().retain();
            owned.add(t);
            return t;
        }
    }

    /// Frees the constants.
    @Override public void close() {
        owned.forEach(t -> t.storage().release("closing the JPEG codec"));
        owned.clear();
    }

    /// Numbers as a tensor, in float32.
    Tensor constant(String name, double[] values, int... dims) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return backend.floats(name, Shape.of(dims), floats);
    }

    /// DCT coefficients in units of their quantisation steps, before rounding.
    ///
    /// @param pixels `F32 [B,H,W,3]` RGB in [0,1]
    /// @return `[B,M,N,64]`: M MCUs row by row; their N blocks (luma row by row, Cb, Cr); zig-zag order
    Var coefficients(Var pixels) {
        PixelBatch.requireImages("jpeg", pixels.shape());
        if (pixels.spec().dtype() != DType.F32) {
            throw new DTypeException("jpeg: pixels must be F32, got " + pixels.spec());
        }
        int side = settings.mcuSide();
        int rows = Math.ceilDiv(pixels.dim(1), side);
        int columns = Math.ceilDiv(pixels.dim(2), side);
        int batch = pixels.dim(0);
        Var padded = padded(padded(pixels, 1, rows * side), 2, columns * side);
        Var units = padded.reshape(batch, rows, side, columns, side, 3)
                .apply(new Permute(0, 1, 3, 2, 4, 5))                            // [B,rows,columns,side,side,3]
                .reshape(batch, rows * columns, side * side * 3);
        return units.apply(new Linear(), constant(pixels, encoder), constant(pixels, encoderBias))
                .reshape(batch, rows * columns, settings.blocks(), 64);
    }

    /// What is left of images that were saved as JPEG and read again; libjpeg's triangle filter ("fancy upsampling") brings chroma back.
    ///
    /// @param pixels `F32 [B,H,W,3]` RGB in [0,1]
    /// @return `[B,H,W,3]` in [0,1]
    public Var roundTrip(Var pixels) {
        Var units = coefficients(pixels).apply(Unary.ROUND_CUBIC);
        int side = settings.mcuSide();
        int rows = Math.ceilDiv(pixels.dim(1), side);
        int columns = Math.ceilDiv(pixels.dim(2), side);
        int luma = settings.lumaBlocks();
        Var y = plane(units.apply(new Slice(2, 0, luma)), lumaDecoder, rows, columns, side, 1);
        Var chroma = plane(units.apply(new Slice(2, luma, 2)), chromaDecoder, rows, columns, 8, 2);
        if (settings.chroma() == JpegSettings.Chroma.HALF) {
            chroma = chroma.apply(new Resize(TRIANGLE, rows * side, columns * side));
        }
        Var rgb = y.apply(new Concat(3), chroma).apply(new Linear(), constant(pixels, toRgb), constant(pixels, toRgbBias));
        return cropped(cropped(rgb, 1, pixels.dim(1)), 2, pixels.dim(2)).apply(Unary.clamp(0, 1));
    }

    /// Inverse DCT of some blocks of every MCU: `[B,M,n,64]` to samples `[B,rows·side,columns·side,channels]`.
    private static Var plane(Var blocks, Tensor decoder, int rows, int columns, int side, int channels) {
        int batch = blocks.dim(0);
        return blocks.reshape(batch, rows * columns, blocks.dim(2) * 64)
                .apply(new Linear(), constant(blocks, decoder))
                .reshape(batch, rows, columns, side, side, channels)
                .apply(new Permute(0, 1, 3, 2, 4, 5))                            // [B,rows,side,columns,side,channels]
                .reshape(batch, rows * side, columns * side, channels);
    }

    private static Var padded(Var x, int axis, int size) {
        int missing = size - x.dim(axis);
        if (missing == 0) {
            return x;
        }
        Var edge = x.apply(new Slice(axis, x.dim(axis) - 1, 1));
        return x.apply(new Concat(axis), edge.apply(new BroadcastTo(edge.shape().with(axis, missing))));
    }

    private static Var cropped(Var x, int axis, int size) {
        return x.dim(axis) == size ? x : x.apply(new Slice(axis, 0, size));
    }

    private static Var constant(Var beside, Tensor value) {
        return beside.tape().constant(value);
    }
}
