package dev.retrograd.trainer.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.ShapeException;
import dev.retrograd.rewards.PixelBatch;
import java.util.List;
import org.junit.jupiter.api.Test;

class ImageGridTest {
    /// One pixel, all of whose colours are `v`.
    private static RgbImage dot(int v) {
        return new RgbImage(1, 1, new byte[] {(byte) v, (byte) v, (byte) v});
    }

    /// The red values of a row; -1 for white.
    private static int[] row(RgbImage image, int row) {
        int[] values = new int[image.width()];
        for (int i = 0; i < values.length; i++) {
            values[i] = image.rgb()[(row * image.width() + i) * 3];
        }
        return values;
    }

    @Test void fillsRowsAndLeavesTheRestWhite() {
        RgbImage grid = new ImageGrid(2, 1, 1).compose(List.of(dot(1), dot(2), dot(3)));
        assertEquals("3×3 RGB", grid.toString());
        assertArrayEquals(new int[] {1, -1, 2}, row(grid, 0));
        assertArrayEquals(new int[] {-1, -1, -1}, row(grid, 1));
        assertArrayEquals(new int[] {3, -1, -1}, row(grid, 2));
    }

    @Test void aFewImagesTakeNoMoreColumnsThanTheyNeed() {
        assertArrayEquals(new int[] {1, -1, 2}, row(new ImageGrid(8, 1, 1).compose(List.of(dot(1), dot(2))), 0));
        assertEquals("1×1 RGB", new ImageGrid(8, 1, 1).compose(List.of(dot(1))).toString());
    }

    @Test void pairsStandTogether() {
        RgbImage grid = new ImageGrid(4, 1, 1).composePairs(List.of(dot(1), dot(3), dot(5)), List.of(dot(2), dot(4), dot(6)));
        assertArrayEquals(new int[] {1, -1, 2, -1, -1, -1, -1, 3, -1, 4}, row(grid, 0));
        assertArrayEquals(new int[] {5, -1, 6, -1, -1, -1, -1, -1, -1, -1}, row(grid, 2));
    }

    @Test void enlargesPixelsToSquares() {
        RgbImage two = new RgbImage(2, 1, new byte[] {1, 2, 3, 4, 5, 6});
        assertArrayEquals(new byte[] {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}, two.enlarged(2).rgb());
        RgbImage grid = new ImageGrid(2, 1, 2).compose(List.of(dot(1), dot(2)));
        assertEquals("5×2 RGB", grid.toString());
        assertArrayEquals(new int[] {1, 1, -1, 2, 2}, row(grid, 1));
        assertThrows(IllegalArgumentException.class, () -> two.enlarged(0));
    }

    @Test void choosesASquareAndEnlargesTheMiniature() {
        assertEquals(new ImageGrid(3, 2, 4), ImageGrid.of(8, 64));
        assertEquals(new ImageGrid(2, 2, 1), ImageGrid.of(4, 512));
        assertEquals(new ImageGrid(1, 2, 2), ImageGrid.of(1, 200));
    }

    /// numpy: `(np.float32([...]) * 255).round()`.
    @Test void roundsHalfToEvenAndClamps() {
        float half = 0.5f / 255;
        float[] pixels = {half, 1.5f / 255, 2.5f / 255, 0.5f, -0.1f, 1.1f};
        byte[] rgb = RgbImage.of(new PixelBatch(pixels, 1, 1, 2), 0).rgb();
        byte[] expected = new byte[6];
        for (int i = 0; i < 4; i++) {
            expected[i] = (byte) Math.rint(pixels[i] * 255);
        }
        expected[5] = (byte) 255;
        assertArrayEquals(expected, rgb);
        assertEquals((byte) 128, rgb[3], "127.5 goes to the even neighbour");
        assertEquals(0, rgb[0], "0.5 goes to the even neighbour");
    }

    @Test void takesEveryImageOfABatch() {
        List<RgbImage> images = RgbImage.of(new PixelBatch(new float[] {0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0}, 2, 2, 1));
        assertEquals(List.of(new RgbImage(1, 2, new byte[] {0, 0, 0, -1, -1, -1}), new RgbImage(1, 2, new byte[] {-1, 0, 0, 0, -1, 0})), images);
    }

    @Test void refusesWhatDoesNotFit() {
        ImageGrid grid = new ImageGrid(2, 1, 1);
        assertEquals("image grid: all images must be 1×1 RGB, got 2×1 RGB",
                assertThrows(IllegalArgumentException.class, () -> grid.compose(List.of(dot(1), new RgbImage(2, 1, new byte[6])))).getMessage());
        assertEquals("image grid: at least one image is required, got none", assertThrows(IllegalArgumentException.class, () -> grid.compose(List.of())).getMessage());
        assertEquals("image grid: as many images after as before are required, got 1 and 0",
                assertThrows(IllegalArgumentException.class, () -> grid.composePairs(List.of(dot(1)), List.of())).getMessage());
        assertEquals("image grid: columns must be even to hold pairs, got 3",
                assertThrows(IllegalArgumentException.class, () -> new ImageGrid(3, 1, 1).composePairs(List.of(dot(1)), List.of(dot(2)))).getMessage());
        assertEquals("image: 2×2 pixels take 12 bytes, at least 3, got 3", assertThrows(ShapeException.class, () -> new RgbImage(2, 2, new byte[3])).getMessage());
        assertThrows(IllegalArgumentException.class, () -> new ImageGrid(0, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> RgbImage.of(new PixelBatch(new float[] {0, Float.NaN, 0}, 1, 1, 1), 0));
    }
}
