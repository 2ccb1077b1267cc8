package dev.retrograd.rewards;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.function.Supplier;

/// RGB images of one size on the host, `[B,H,W,3]`, rows × channels.
///
/// @param pixels in [0,1]; the array is not copied
public record PixelBatch(float[] pixels, int batch, int height, int width) {

    /// @throws ShapeException unless there are exactly batch·height·width·3 values
    public PixelBatch {
        Shape shape = Shape.of(batch, height, width, 3);
        if (shape.elements() != pixels.length) {
            throw new ShapeException("pixels: " + shape + " takes " + shape.elements() + " values, got " + pixels.length);
        }
    }

    /// The images of a tensor `[B,H,W,3]`.
    public static PixelBatch of(Backend backend, Tensor pixels) {
        return start(backend, pixels).get();
    }

    /// Begins to take them to the host, as {@link Backend#startToFloats} does.
    ///
    /// @return waits for them
    public static Supplier<PixelBatch> start(Backend backend, Tensor pixels) {
        requireImages("pixels", pixels.shape());
        int[] dims = pixels.shape().toArray();
        Supplier<float[]> values = backend.startToFloats(pixels);
        return () -> new PixelBatch(values.get(), dims[0], dims[1], dims[2]);
    }

    public Shape shape() {
        return Shape.of(batch, height, width, 3);
    }

    /// One colour of an image as its 8-bit value, 0..255: the nearest one, half to even; beyond [0,1] the end.
    ///
    /// Parity: diffusers `VaeImageProcessor.numpy_to_pil`, `(images * 255).round()` in float32.
    ///
    /// @throws IllegalArgumentException for NaN
    public int rgb(int image, int row, int column, int channel) {
        float value = pixels[((image * height + row) * width + column) * 3 + channel];
        if (Float.isNaN(value)) {
            throw new IllegalArgumentException("pixels: values must be numbers, got NaN in image " + image + " at row " + row + ", column " + column);
        }
        return Math.clamp((long) Math.rint(value * 255), 0, 255);
    }

    /// @throws ShapeException unless the shape is `[B,H,W,3]`
    public static void requireImages(String where, Shape shape) {
        if (shape.rank() != 4 || shape.dim(3) != 3 || shape.dim(1) < 1 || shape.dim(2) < 1) {
            throw new ShapeException(where + ": images must be [B,H,W,3], got " + shape);
        }
    }
}
