package dev.retrograd.trainer.image;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Several images as one: rows of cells with thin white gaps between them, none around.
///
/// @param columns cells in a row; the last row may have fewer
/// @param gap pixels between cells
/// @param enlargement pixels a side that each pixel of an image becomes
public record ImageGrid(int columns, int gap, int enlargement) {
    private static final byte WHITE = (byte) 255;
    private static final int USUAL_GAP = 2;
    /// Between two pairs the gap is this many times as wide as inside one.
    private static final int PAIR_GAPS = 4;
    /// An image smaller than this is enlarged to at least this many pixels.
    private static final int COMFORTABLE = 256;

    /// @throws IllegalArgumentException unless columns and enlargement are 1 or more and the gap is 0 or more
    public ImageGrid {
        if (columns < 1 || gap < 0 || enlargement < 1) {
            throw new IllegalArgumentException("image grid: columns and enlargement must be 1 or more and the gap 0 or more, got " + columns + ", " + enlargement + " and " + gap);
        }
    }

    /// As square as possible for `count` images, of `width` pixels each; small ones are enlarged by a whole factor to 256 pixels or more.
    public static ImageGrid of(int count, int width) {
        return new ImageGrid((int) Math.ceil(Math.sqrt(count)), USUAL_GAP, Math.max(1, Math.ceilDiv(COMFORTABLE, width)));
    }

    /// Images in reading order.
    ///
    /// @throws IllegalArgumentException if there is none, or they differ in size
    public RgbImage compose(List<RgbImage> images) {
        return compose(images, gap);
    }

    /// Images before and after training side by side, pair after pair, in reading order; pairs are further apart than what they hold.
    ///
    /// @throws IllegalArgumentException unless there are as many after as before, at least one, all of one size, and the columns are even
    public RgbImage composePairs(List<RgbImage> before, List<RgbImage> after) {
        if (before.size() != after.size()) {
            throw new IllegalArgumentException("image grid: as many images after as before are required, got " + before.size() + " and " + after.size());
        }
        if (columns % 2 != 0) {
            throw new IllegalArgumentException("image grid: columns must be even to hold pairs, got " + columns);
        }
        List<RgbImage> images = new ArrayList<>();
        for (int i = 0; i < before.size(); i++) {
            images.add(before.get(i));
            images.add(after.get(i));
        }
        return compose(images, gap * PAIR_GAPS);
    }

    /// @param oddGap pixels after each second column
    private RgbImage compose(List<RgbImage> images, int oddGap) {
        if (images.isEmpty()) {
            throw new IllegalArgumentException("image grid: at least one image is required, got none");
        }
        RgbImage first = images.getFirst();
        for (RgbImage image : images) {
            if (image.width() != first.width() || image.height() != first.height()) {
                throw new IllegalArgumentException("image grid: all images must be " + first + ", got " + image);
            }
        }
        int across = Math.min(columns, images.size());
        int down = Math.ceilDiv(images.size(), columns);
        int cellWidth = Math.multiplyExact(first.width(), enlargement);
        int cellHeight = Math.multiplyExact(first.height(), enlargement);
        int width = left(across - 1, cellWidth, oddGap) + cellWidth;
        int height = Math.addExact(Math.multiplyExact(down, cellHeight), (down - 1) * gap);
        byte[] rgb = new byte[Math.multiplyExact(Math.multiplyExact(width, height), 3)];
        Arrays.fill(rgb, WHITE);
        for (int i = 0; i < images.size(); i++) {
            RgbImage cell = images.get(i).enlarged(enlargement);
            int top = (i / columns) * (cellHeight + gap);
            int left = left(i % columns, cellWidth, oddGap);
            for (int row = 0; row < cellHeight; row++) {
                System.arraycopy(cell.rgb(), row * cellWidth * 3, rgb, ((top + row) * width + left) * 3, cellWidth * 3);
            }
        }
        return new RgbImage(width, height, rgb);
    }

    /// Where a column begins.
    private int left(int column, int cellWidth, int oddGap) {
        int wide = column / 2;
        return Math.addExact(Math.multiplyExact(column, cellWidth), wide * oddGap + (column - wide) * gap);
    }
}
