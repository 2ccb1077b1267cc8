package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.ShapeException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class JpegFileSizeTest {
    private static final List<String> PROMPTS = List.of("a cat", "a dog");

    @Test
    void isTheFilesKilobytesWithTheSignOfTheGoal() {
        PixelBatch images = TestImages.batch(4, 2, 48, 32);
        float[] larger = new JpegFileSize(FileSizeGoal.LARGER).score(images, PROMPTS);
        float[] smaller = new JpegFileSize(FileSizeGoal.SMALLER).score(images, PROMPTS);
        for (int i = 0; i < 2; i++) {
            assertEquals(JpegFileSize.encode(images, i, JpegSettings.DDPO).length, larger[i] * 1000, 0.01);
            assertEquals(-larger[i], smaller[i]);
        }
    }

    @Test
    void allButTheCodedBlocksIsAsLongAsTheEstimateSays() {
        for (int quality : new int[] {50, 95}) {
            byte[] file = JpegFileSize.encode(TestImages.batch(4, 1, 32, 32), 0, new JpegSettings(quality, JpegSettings.Chroma.HALF));
            int at = 2;
            while ((file[at + 1] & 0xFF) != 0xDA) {
                at += 2 + ((file[at + 2] & 0xFF) << 8 | file[at + 3] & 0xFF);
            }
            int scanHeader = 2 + ((file[at + 2] & 0xFF) << 8 | file[at + 3] & 0xFF);
            int endOfImage = 2;
            assertEquals(JpegRate.HEADER_BYTES - 0.5, at + scanHeader + endOfImage);
        }
    }

    @Test
    void fullChromaTakesMoreBytesThanHalf() {
        PixelBatch noise = TestImages.batch(5, 1, 64, 64);
        int full = JpegFileSize.encode(noise, 0, new JpegSettings(95, JpegSettings.Chroma.FULL)).length;
        int half = JpegFileSize.encode(noise, 0, JpegSettings.DDPO).length;
        assertTrue(full > half * 1.2, full + " bytes against " + half);
    }

    @Test
    void rejectsWhatIsNoImage() {
        float[] pixels = new float[2 * 8 * 8 * 3];
        Arrays.fill(pixels, 0.5f);
        pixels[8 * 8 * 3 + 8 * 3] = Float.NaN;
        PixelBatch images = new PixelBatch(pixels, 2, 8, 8);
        IllegalArgumentException nan = assertThrows(IllegalArgumentException.class, () -> new JpegFileSize(FileSizeGoal.SMALLER).score(images, PROMPTS));
        assertEquals("pixels: values must be numbers, got NaN in image 1 at row 1, column 0", nan.getMessage());
        ShapeException size = assertThrows(ShapeException.class, () -> new PixelBatch(pixels, 2, 8, 9));
        assertEquals("pixels: [2,8,9,3] takes 432 values, got 384", size.getMessage());
        IllegalArgumentException quality = assertThrows(IllegalArgumentException.class, () -> new JpegSettings(101, JpegSettings.Chroma.HALF));
        assertEquals("jpeg: quality must be 1..100, got 101", quality.getMessage());
    }
}
