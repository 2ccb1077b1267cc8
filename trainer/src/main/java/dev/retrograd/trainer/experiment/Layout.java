package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.image.RgbImage;

/// How an image differs from another one: in layout, which is what is left of the difference when both are averaged over squares of an eighth of the side, and in detail, the rest of it.
///
/// @param layout root mean square of the coarse difference, in units of the whole range of values
/// @param detail likewise of the rest
record Layout(double layout, double detail) {
    private static final int SQUARES = 8;

    /// @throws IllegalArgumentException if the sizes differ
    static Layout difference(RgbImage image, RgbImage base) {
        if (image.width() != base.width() || image.height() != base.height()) {
            throw new IllegalArgumentException("layout: images of one size are required, got " + image + " and " + base);
        }
        int side = Math.max(1, Math.min(image.width(), image.height()) / SQUARES);
        int across = Math.ceilDiv(image.width(), side);
        int down = Math.ceilDiv(image.height(), side);
        double[] sums = new double[across * down * 3];
        int[] counts = new int[sums.length];
        double squares = 0;
        for (int i = 0; i < image.rgb().length; i++) {
            double d = ((image.rgb()[i] & 0xFF) - (base.rgb()[i] & 0xFF)) / 255.0;
            int cell = cell(i, image.width(), side, across);
            sums[cell] += d;
            counts[cell]++;
            squares += d * d;
        }
        double coarse = 0;
        for (int i = 0; i < sums.length; i++) {
            coarse += counts[i] == 0 ? 0 : sums[i] * sums[i] / counts[i];
        }
        int n = image.rgb().length;
        return new Layout(Math.sqrt(coarse / n), Math.sqrt(Math.max(0, squares - coarse) / n));
    }

    private static int cell(int value, int width, int side, int across) {
        int pixel = value / 3;
        return (pixel / width / side * across + pixel % width / side) * 3 + value % 3;
    }

    /// By how much more of the difference is detail.
    double detailOverLayout() {
        return detail - layout;
    }
}
