package dev.retrograd.trainer.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PngFilterTest {
    /// A value by column, row and channel.
    private interface Colour {
        int at(int x, int y, int channel);
    }

    private static RgbImage image(int width, int height, Colour colour) {
        byte[] rgb = new byte[width * height * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) colour.at(i / 3 % width, i / 3 / width, i % 3);
        }
        return new RgbImage(width, height, rgb);
    }

    private static List<PngFilter> filters(RgbImage image) {
        byte[] rows = PngFilter.rows(image);
        int stride = 1 + 3 * image.width();
        assertEquals(image.height() * stride, rows.length);
        List<PngFilter> filters = new ArrayList<>();
        for (int y = 0; y < image.height(); y++) {
            filters.add(PngFilter.values()[rows[y * stride]]);
        }
        return filters;
    }

    private static RgbImage noise(int width, int height, long seed) {
        byte[] rgb = new byte[width * height * 3];
        new Random(seed).nextBytes(rgb);
        return new RgbImage(width, height, rgb);
    }

    @Test void aRowTakesTheFilterThatLeavesLeast() {
        assertEquals(List.of(PngFilter.NONE, PngFilter.NONE), filters(image(5, 2, (x, y, c) -> 0)), "black is zero unfiltered");
        assertEquals(List.of(PngFilter.SUB), filters(image(5, 1, (x, y, c) -> 100 + x)), "a ramp to the right");
        assertEquals(List.of(PngFilter.SUB, PngFilter.UP), filters(image(5, 2, (x, y, c) -> 90 + 7 * (x * x % 5))), "a row that repeats");
        assertEquals(PngFilter.PAETH, filters(image(9, 9, (x, y, c) -> x < 4 ? 100 : y < 4 ? 20 : 60)).get(4), "an edge across and one down");
        int[] smoothed = new int[9];
        for (int x = 0; x < smoothed.length; x++) {
            smoothed[x] = ((x > 0 ? smoothed[x - 1] : 0) + 100 * (x % 2)) / 2;
        }
        assertEquals(PngFilter.AVERAGE, filters(image(9, 2, (x, y, c) -> y == 0 ? 100 * (x % 2) : smoothed[x])).get(1), "the mean of the left and the upper neighbour");
    }

    @Test void aByteIsItsDifferenceFromThePredictionOfItsOwnChannel() {
        byte[] rows = PngFilter.rows(new RgbImage(2, 1, new byte[] {10, -56, 5, 12, -54, 4}));
        assertEquals(List.of(1, 10, -56, 5, 2, 2, -1), IntStream.range(0, rows.length).mapToObj(i -> (int) rows[i]).toList());
    }

    @Test void everyImageReadsBackPixelForPixel(@TempDir Path folder) throws IOException {
        List<RgbImage> images = List.of(noise(1, 1, 1), noise(1, 13, 2), noise(7, 1, 3), noise(64, 37, 4), noise(13, 7, 5).enlarged(9),
                image(33, 50, (x, y, c) -> 3 * x + 5 * y + 80 * c), image(64, 64, (x, y, c) -> (x - 20) * (x - 20) + (y - 30) * (y - 30) < 200 ? 250 - 40 * c : 12 * c + y),
                image(40, 40, (x, y, c) -> x * y / (c + 1)));
        Set<PngFilter> seen = EnumSet.noneOf(PngFilter.class);
        for (RgbImage image : images) {
            Path file = folder.resolve("image.png");
            PngFile.write(file, image, Map.of("Title", "read back"));
            assertEquals(image, ImageFile.read(file));
            seen.addAll(filters(image));
        }
        assertEquals(EnumSet.allOf(PngFilter.class), seen, "all five were put to the test");
    }

    @Test void repeatedRowsAndSlopesTakeAlmostNoBytes() {
        RgbImage small = noise(16, 16, 6);
        int enlarged = PngFile.encode(small.enlarged(8), Map.of()).length;
        assertTrue(enlarged < 3 * small.rgb().length, "49,152 bytes made of 768 random ones, got " + enlarged);
        int slope = PngFile.encode(image(128, 128, (x, y, c) -> x + y + 30 * c), Map.of()).length;
        assertTrue(slope < 1000, "a slope of 49,152 bytes, got " + slope);
    }
}
