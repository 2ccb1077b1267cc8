package dev.retrograd.trainer.image;

import dev.retrograd.core.io.AtomicFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/// Writes PNG files of 8-bit colours with texts inside, such as A1111's `parameters`. Equal images and texts give equal bytes.
///
/// Rows are filtered by {@link PngFilter} and deflated at the best level: grids of the miniature's pictures take about half of what `ImageIO` makes of them.
///
/// Source: PNG specification (W3C, third edition), 5 datastream structure and 11 chunks.
public final class PngFile {
    private static final int LONGEST_KEYWORD = 79;
    private static final long SIGNATURE = 0x89504E470D0A1A0AL;
    private static final byte BITS = 8;
    private static final byte RGB = 2;

    private PngFile() {
    }

    /// Writes an image, whole or not at all.
    ///
    /// @param texts by keyword (1 to 79 printable ASCII characters), in order. Those that Latin-1 holds become `tEXt` chunks, others `iTXt` in UTF-8
    /// @throws IllegalArgumentException if a keyword is unfit, or a text contains U+0000
    /// @throws IOException as {@link AtomicFile#write(Path, byte[])}
    public static void write(Path file, RgbImage image, Map<String, String> texts) throws IOException {
        AtomicFile.write(file, encode(image, texts));
    }

    /// The bytes of the file; as {@link #write}.
    public static byte[] encode(RgbImage image, Map<String, String> texts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(ByteBuffer.allocate(Long.BYTES).putLong(SIGNATURE).array());
        // after the size: bits, colour type, then the only methods of compression and filtering, and no interlacing
        chunk(out, "IHDR", ByteBuffer.allocate(13).putInt(image.width()).putInt(image.height()).put(BITS).put(RGB).array());
        texts.forEach((keyword, text) -> {
            require(keyword, text);
            boolean latin = StandardCharsets.ISO_8859_1.newEncoder().canEncode(text);
            // an iTXt chunk has, before its text: not compressed, method 0, no language, no translated keyword
            String data = latin ? keyword + '\0' + text : keyword + "\0\0\0\0\0" + text;
            chunk(out, latin ? "tEXt" : "iTXt", data.getBytes(latin ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8));
        });
        chunk(out, "IDAT", deflated(PngFilter.rows(image)));
        chunk(out, "IEND", new byte[0]);
        return out.toByteArray();
    }

    private static byte[] deflated(byte[] rows) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION); DeflaterOutputStream zlib = new DeflaterOutputStream(out, deflater)) {
            zlib.write(rows);
        } catch (IOException e) {
            throw new AssertionError("an array takes every byte", e);
        }
        return out.toByteArray();
    }

    /// Length, type, data, and the CRC of type and data.
    private static void chunk(ByteArrayOutputStream out, String type, byte[] data) {
        byte[] name = type.getBytes(StandardCharsets.US_ASCII);
        CRC32 crc = new CRC32();
        crc.update(name);
        crc.update(data);
        out.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt(data.length).array());
        out.writeBytes(name);
        out.writeBytes(data);
        out.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt((int) crc.getValue()).array());
    }

    private static void require(String keyword, String text) {
        boolean printable = keyword.chars().allMatch(c -> c >= ' ' && c <= '~');
        if (keyword.isBlank() || !keyword.equals(keyword.strip()) || keyword.contains("  ") || keyword.length() > LONGEST_KEYWORD || !printable) {
            throw new IllegalArgumentException("png: a keyword must be 1.." + LONGEST_KEYWORD + " printable ASCII characters without spaces at its ends, got '" + keyword + "'");
        }
        if (text.indexOf(0) >= 0) {
            throw new IllegalArgumentException("png: the text of '" + keyword + "' must not contain U+0000, got it at character " + text.indexOf(0));
        }
    }
}
