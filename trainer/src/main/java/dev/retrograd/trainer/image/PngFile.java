package dev.retrograd.trainer.image;

import dev.retrograd.core.io.AtomicFile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/// Writes PNG files of 8-bit colours with texts inside, such as A1111's `parameters`. Equal images and texts give equal bytes.
public final class PngFile {
    private static final int LONGEST_KEYWORD = 79;

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
    public static byte[] encode(RgbImage image, Map<String, String> texts) throws IOException {
        BufferedImage buffered = new BufferedImage(image.width(), image.height(), BufferedImage.TYPE_INT_RGB);
        byte[] rgb = image.rgb();
        int[] packed = new int[image.width() * image.height()];
        for (int i = 0; i < packed.length; i++) {
            packed[i] = (rgb[3 * i] & 0xFF) << 16 | (rgb[3 * i + 1] & 0xFF) << 8 | rgb[3 * i + 2] & 0xFF;
        }
        buffered.setRGB(0, 0, image.width(), image.height(), packed, 0, image.width());
        ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
            IIOMetadata metadata = writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(buffered), null);
            metadata.mergeTree(metadata.getNativeMetadataFormatName(), chunks(metadata.getNativeMetadataFormatName(), texts));
            writer.setOutput(out);
            writer.write(new IIOImage(buffered, null, metadata));
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }

    private static IIOMetadataNode chunks(String format, Map<String, String> texts) {
        IIOMetadataNode latin = new IIOMetadataNode("tEXt");
        IIOMetadataNode unicode = new IIOMetadataNode("iTXt");
        texts.forEach((keyword, text) -> {
            require(keyword, text);
            if (StandardCharsets.ISO_8859_1.newEncoder().canEncode(text)) {
                IIOMetadataNode entry = new IIOMetadataNode("tEXtEntry");
                entry.setAttribute("keyword", keyword);
                entry.setAttribute("value", text);
                latin.appendChild(entry);
            } else {
                IIOMetadataNode entry = new IIOMetadataNode("iTXtEntry");
                entry.setAttribute("keyword", keyword);
                entry.setAttribute("compressionFlag", "FALSE");
                entry.setAttribute("compressionMethod", "0");
                entry.setAttribute("languageTag", "");
                entry.setAttribute("translatedKeyword", "");
                entry.setAttribute("text", text);
                unicode.appendChild(entry);
            }
        });
        IIOMetadataNode root = new IIOMetadataNode(format);
        for (IIOMetadataNode kind : new IIOMetadataNode[] {latin, unicode}) {
            if (kind.hasChildNodes()) {
                root.appendChild(kind);
            }
        }
        return root;
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
