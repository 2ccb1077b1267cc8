package dev.retrograd.trainer.image;

import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.rewards.PixelBatch;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// An image of 8-bit colours.
///
/// @param rgb rows from the top, pixels from the left, red, green, blue; not copied
public record RgbImage(int width, int height, byte[] rgb) {

    /// @throws ShapeException unless there are width·height·3 bytes, and at least one pixel
    public RgbImage {
        if (width < 1 || height < 1 || (long) width * height * 3 != rgb.length) {
            throw new ShapeException("image: " + width + "×" + height + " pixels take " + (long) width * height * 3 + " bytes, at least 3, got " + rgb.length);
        }
    }

    /// One image of a batch, rounded to 8 bits (half to even, as diffusers does).
    ///
    /// @throws IllegalArgumentException if a pixel is NaN
    public static RgbImage of(PixelBatch pixels, int image) {
        byte[] rgb = new byte[Math.toIntExact(Shape.of(pixels.height(), pixels.width(), 3).elements())];
        int at = 0;
        for (int row = 0; row < pixels.height(); row++) {
            for (int column = 0; column < pixels.width(); column++) {
                for (int c = 0; c < 3; c++) {
                    rgb[at++] = (byte) pixels.rgb(image, row, column, c);
                }
            }
        }
        return new RgbImage(pixels.width(), pixels.height(), rgb);
    }

    /// Every image of a batch.
    public static List<RgbImage> of(PixelBatch pixels) {
        return IntStream.range(0, pixels.batch()).mapToObj(i -> of(pixels, i)).toList();
    }

    /// Images of one size as a batch, in [0,1].
    ///
    /// @throws ShapeException if there is none or the sizes differ
    public static PixelBatch pixels(List<RgbImage> images) {
        if (images.isEmpty()) {
            throw new ShapeException("images: a batch takes at least one, got none");
        }
        int width = images.getFirst().width();
        int height = images.getFirst().height();
        float[] pixels = new float[Math.toIntExact(Shape.of(images.size(), height, width, 3).elements())];
        int at = 0;
        for (RgbImage image : images) {
            if (image.width() != width || image.height() != height) {
                throw new ShapeException("images: a batch must have one size, " + width + "×" + height + ", got " + image);
            }
            for (byte value : image.rgb()) {
                pixels[at++] = (value & 0xFF) / 255f;
            }
        }
        return new PixelBatch(pixels, images.size(), height, width);
    }

    /// Each pixel as a square of `factor` pixels a side, for looking at small images.
    ///
    /// @throws IllegalArgumentException unless the factor is 1 or more
    public RgbImage enlarged(int factor) {
        if (factor < 1) {
            throw new IllegalArgumentException("image: the factor of enlargement must be 1 or more, got " + factor);
        }
        int wide = Math.multiplyExact(width, factor);
        int high = Math.multiplyExact(height, factor);
        byte[] large = new byte[Math.multiplyExact(Math.multiplyExact(wide, high), 3)];
        for (int row = 0; row < high; row++) {
            for (int column = 0; column < wide; column++) {
                System.arraycopy(rgb, ((row / factor) * width + column / factor) * 3, large, (row * wide + column) * 3, 3);
            }
        }
        return new RgbImage(wide, high, large);
    }

    @Override public boolean equals(Object o) {
        return o instanceof RgbImage(int w, int h, byte[] other) && w == width && h == height && Arrays.equals(rgb, other);
    }

    @Override public int hashCode() {
        return Arrays.hashCode(rgb) * 31 + width;
    }

    @Override public String toString() {
        return width + "×" + height + " RGB";
    }
}
