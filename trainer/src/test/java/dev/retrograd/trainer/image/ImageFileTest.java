package dev.retrograd.trainer.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.ShapeException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFileTest {
    @TempDir Path folder;

    private Path written(String name, BufferedImage image, String format) throws IOException {
        Path file = folder.resolve(name);
        assertTrue(ImageIO.write(image, format, file.toFile()));
        return file;
    }

    @Test void aPngComesBackByteForByte() throws IOException {
        RgbImage image = new RgbImage(2, 2, new byte[] {0, 1, 2, 127, (byte) 128, (byte) 255, 9, 8, 7, 50, 60, 70});
        Path file = folder.resolve("a.png");
        PngFile.write(file, image, Map.of());
        assertEquals(image, ImageFile.read(file));
    }

    @Test void grayKeepsItsValues() throws IOException {
        for (int type : new int[] {BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY}) {
            BufferedImage gray = new BufferedImage(3, 1, type);
            int unit = type == BufferedImage.TYPE_BYTE_GRAY ? 1 : 257;
            gray.getRaster().setSamples(0, 0, 3, 1, 0, new int[] {0, 100 * unit, 255 * unit});
            assertArrayEquals(new byte[] {0, 0, 0, 100, 100, 100, -1, -1, -1}, ImageFile.read(written("gray.png", gray, "png")).rgb());
        }
    }

    @Test void transparencyIsDropped() throws IOException {
        BufferedImage clear = new BufferedImage(1, 1, BufferedImage.TYPE_INT_ARGB);
        clear.setRGB(0, 0, 0x40FF8000);
        assertArrayEquals(new byte[] {-1, -128, 0}, ImageFile.read(written("clear.png", clear, "png")).rgb());
    }

    @Test void readsJpegWhateverItsNameEndsIn() throws IOException {
        BufferedImage flat = new BufferedImage(16, 8, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 128; i++) {
            flat.setRGB(i % 16, i / 16, 0x808080);
        }
        RgbImage read = ImageFile.read(written("flat.data", flat, "jpeg"));
        assertEquals("16×8 RGB", read.toString());
        for (byte value : read.rgb()) {
            assertTrue(Math.abs((value & 0xFF) - 0x80) <= 2, "got " + (value & 0xFF));
        }
    }

    @Test void listsImagesByNameInOrder() throws IOException {
        for (String name : List.of("b.PNG", "a.jpeg", "c.txt")) {
            Files.createFile(folder.resolve(name));
        }
        Files.createDirectory(folder.resolve("d.png"));
        assertEquals(List.of("a.jpeg", "b.PNG"), ImageFile.in(folder).stream().map(p -> p.getFileName().toString()).toList());
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertEquals(empty + ": at least one .png, .jpg or .jpeg file is required, got none", assertThrows(IOException.class, () -> ImageFile.in(empty)).getMessage());
    }

    private void refused(Path file, String message) {
        String got = assertThrows(IOException.class, () -> ImageFile.read(file)).getMessage();
        assertTrue(got.startsWith(file + ": " + message), got);
    }

    @Test void refusesWhatIsNoImage() throws IOException {
        refused(folder.resolve("absent.png"), "an image file is required, but there is none");
        refused(Files.writeString(folder.resolve("text.png"), "hello"), "must be a PNG or JPEG image, got something else");
        refused(written("a.bmp", new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB), "bmp"), "must be a PNG or JPEG image, got bmp");
    }

    @Test void refusesDamagedImages() throws IOException {
        Path file = folder.resolve("cut.png");
        byte[] bytes = PngFile.encode(new RgbImage(40, 40, new byte[4800]), Map.of());
        Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
        refused(file, "not a readable image: ");
        // Width and height in the header: 65535×65535 pixels.
        bytes[18] = bytes[19] = bytes[22] = bytes[23] = -1;
        Files.write(file, bytes);
        refused(file, "not a readable image: must have at most 134217728 pixels, got 65535×65535");
    }

    @Test void aBatchHasTheValuesOfItsImages() {
        RgbImage a = new RgbImage(1, 1, new byte[] {0, 51, -1});
        assertArrayEquals(new float[] {0, 0.2f, 1, 0, 0.2f, 1}, RgbImage.pixels(List.of(a, a)).pixels());
        assertEquals(a, RgbImage.of(RgbImage.pixels(List.of(a)), 0));
        assertEquals("images: a batch must have one size, 1×1, got 2×1 RGB",
                assertThrows(ShapeException.class, () -> RgbImage.pixels(List.of(a, new RgbImage(2, 1, new byte[6])))).getMessage());
    }
}
