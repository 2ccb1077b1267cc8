package dev.retrograd.trainer.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PngFileTest {
    private static final RgbImage IMAGE = new RgbImage(3, 2, new byte[] {0, 1, 2, -1, 127, -128, 9, 8, 7, 50, 60, 70, -2, -3, -4, 100, 101, 102});
    private static final Map<String, String> PARAMETERS =
            new GenerationParameters("a cat, café", "blurry", 50, "DDIM", 7.5, 42, 64, 64, "miniature", 0).texts();

    /// The chunks of a PNG file, read by the specification: length, type, data, CRC.
    private record Chunk(String type, byte[] data) {
        static List<Chunk> of(byte[] png) {
            ByteBuffer in = ByteBuffer.wrap(png);
            assertEquals(0x89504E470D0A1A0AL, in.getLong(), "signature");
            List<Chunk> chunks = new ArrayList<>();
            while (in.hasRemaining()) {
                byte[] data = new byte[in.getInt()];
                byte[] type = new byte[4];
                in.get(type).get(data);
                CRC32 crc = new CRC32();
                crc.update(type);
                crc.update(data);
                assertEquals((int) crc.getValue(), in.getInt(), "CRC");
                chunks.add(new Chunk(new String(type, StandardCharsets.US_ASCII), data));
            }
            return chunks;
        }
    }

    private static List<byte[]> chunks(String type, Map<String, String> texts) throws IOException {
        return Chunk.of(PngFile.encode(IMAGE, texts)).stream().filter(c -> c.type.equals(type)).map(Chunk::data).toList();
    }

    @Test void readsBackAsItWas(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("sample.png");
        PngFile.write(file, IMAGE, PARAMETERS);
        BufferedImage back = ImageIO.read(new ByteArrayInputStream(Files.readAllBytes(file)));
        assertEquals(IMAGE.width(), back.getWidth());
        assertEquals(IMAGE.height(), back.getHeight());
        byte[] rgb = new byte[IMAGE.rgb().length];
        for (int i = 0; i < rgb.length / 3; i++) {
            int pixel = back.getRGB(i % 3, i / 3);
            rgb[3 * i] = (byte) (pixel >> 16);
            rgb[3 * i + 1] = (byte) (pixel >> 8);
            rgb[3 * i + 2] = (byte) pixel;
        }
        assertArrayEquals(IMAGE.rgb(), rgb);
        try (var files = Files.list(folder)) {
            assertEquals(List.of(file), files.toList(), "no temporary file stays");
        }
    }

    @Test void isEightBitColourWithoutAlpha() throws IOException {
        Chunk header = Chunk.of(PngFile.encode(IMAGE, Map.of())).getFirst();
        assertEquals("IHDR", header.type);
        assertEquals(8, header.data[8], "bits");
        assertEquals(2, header.data[9], "colour type RGB");
    }

    @Test void latinTextsAreTextChunks() throws IOException {
        List<byte[]> chunks = chunks("tEXt", PARAMETERS);
        assertEquals(1, chunks.size());
        assertEquals("parameters\0a cat, café\nNegative prompt: blurry\nSteps: 50, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 64x64, Model: miniature",
                new String(chunks.getFirst(), StandardCharsets.ISO_8859_1));
    }

    @Test void otherTextsAreInternationalTextChunks() throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("parameters", "猫 – 🐈");
        texts.put("Title", "cat");
        assertEquals("parameters\0\0\0\0\0猫 – 🐈", new String(chunks("iTXt", texts).getFirst(), StandardCharsets.UTF_8));
        assertEquals("Title\0cat", new String(chunks("tEXt", texts).getFirst(), StandardCharsets.ISO_8859_1));
    }

    @Test void equalImagesGiveEqualBytes() throws IOException {
        assertArrayEquals(PngFile.encode(IMAGE, PARAMETERS), PngFile.encode(IMAGE, PARAMETERS));
        assertTrue(Chunk.of(PngFile.encode(IMAGE, PARAMETERS)).stream().noneMatch(c -> c.type.equals("tIME")), "no clock");
    }

    @Test void parametersLeaveOutWhatIsEmptyAndQuoteSeparators() {
        GenerationParameters p = new GenerationParameters("cat", "", 5, "DDIM", 7, 1, 8, 16, "a, \"b\"", 1);
        assertEquals("cat\nSteps: 5, Sampler: DDIM, CFG scale: 7, Seed: 1, Size: 8x16, Model: \"a, \\\"b\\\"\", Clip skip: 2", p.text());
    }

    @Test void refusesKeywordsAndTextsThatPngCannotHold() {
        for (String keyword : new String[] {"", " a", "a ", "a  b", "ä", "a\n", "k".repeat(80)}) {
            assertThrows(IllegalArgumentException.class, () -> PngFile.encode(IMAGE, Map.of(keyword, "x")), keyword);
        }
        assertEquals("png: the text of 'a' must not contain U+0000, got it at character 1",
                assertThrows(IllegalArgumentException.class, () -> PngFile.encode(IMAGE, Map.of("a", "x\0"))).getMessage());
    }

    @Test void failsWithOneSentenceWhereItCannotWrite(@TempDir Path folder) {
        Path file = folder.resolve("absent/sample.png");
        assertEquals(file + ": could not be written: there is no folder " + file.getParent(),
                assertThrows(IOException.class, () -> PngFile.write(file, IMAGE, Map.of())).getMessage());
    }
}
