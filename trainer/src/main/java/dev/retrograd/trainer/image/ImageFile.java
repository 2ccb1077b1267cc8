package dev.retrograd.trainer.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/// Reads PNG and JPEG files as 8-bit colours: transparency is dropped, gray is red = green = blue, 16 bits lose their lower 8. Parity: PIL's `convert("RGB")` on 8-bit images.
public final class ImageFile {
    private static final Set<String> ENDINGS = Set.of("png", "jpg", "jpeg");
    private static final Set<String> FORMATS = Set.of("png", "jpeg");
    private static final long MOST_PIXELS = 1L << 27;
    private static final int BYTE_BITS = 8;

    private ImageFile() {
    }

    /// The images of a folder by the endings of their names, `.png`, `.jpg` or `.jpeg`, sorted; subfolders are not entered.
    ///
    /// @throws IOException if there is no such folder or it has no image
    public static List<Path> in(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new IOException(folder + ": a folder of images is required, but " + (Files.exists(folder) ? "this is a file" : "there is none"));
        }
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> images = files.filter(f -> Files.isRegularFile(f) && ENDINGS.contains(ending(f))).sorted().toList();
            if (images.isEmpty()) {
                throw new IOException(folder + ": at least one .png, .jpg or .jpeg file is required, got none");
            }
            return images;
        }
    }

    private static String ending(Path file) {
        String name = file.getFileName().toString();
        return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    }

    /// Reads an image, whatever its name ends in.
    ///
    /// @throws IOException if it is missing, damaged, neither PNG nor JPEG, or has more than 2²⁷ pixels; the message names the file
    public static RgbImage read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": an image file is required, but " + (Files.exists(file) ? "this is none" : "there is none"));
        }
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                throw new IOException(file + ": must be a PNG or JPEG image, got something else");
            }
            ImageReader reader = readers.next();
            try {
                return read(file, reader, in);
            } finally {
                reader.dispose();
            }
        }
    }

    private static RgbImage read(Path file, ImageReader reader, ImageInputStream in) throws IOException {
        String format = reader.getFormatName().toLowerCase(Locale.ROOT);
        if (!FORMATS.contains(format)) {
            throw new IOException(file + ": must be a PNG or JPEG image, got " + format);
        }
        try {
            reader.setInput(in, true, true);
            long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
            if (pixels > MOST_PIXELS) {
                throw new IOException("must have at most " + MOST_PIXELS + " pixels, got " + reader.getWidth(0) + "×" + reader.getHeight(0));
            }
            return rgb(reader.read(0));
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException | NegativeArraySizeException e) {
            // The JDK's readers report some damage by exceptions of other kinds than IOException.
            throw new IOException(file + ": not a readable image: " + e.getMessage(), e);
        }
    }

    private static RgbImage rgb(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        byte[] rgb = new byte[Math.multiplyExact(Math.multiplyExact(width, height), 3)];
        boolean gray = image.getColorModel() instanceof ComponentColorModel m && m.getColorSpace().getType() == ColorSpace.TYPE_GRAY;
        if (gray) {
            gray(image, rgb);
            return new RgbImage(width, height, rgb);
        }
        int[] row = new int[width];
        int at = 0;
        for (int y = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int argb : row) {
                rgb[at++] = (byte) (argb >> 16);
                rgb[at++] = (byte) (argb >> 8);
                rgb[at++] = (byte) argb;
            }
        }
        return new RgbImage(width, height, rgb);
    }

    /// From the samples themselves: AWT takes gray for linear light and would brighten it.
    private static void gray(BufferedImage image, byte... rgb) {
        Raster raster = image.getRaster();
        int shift = raster.getSampleModel().getSampleSize(0) - BYTE_BITS;
        int at = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                byte value = (byte) (raster.getSample(x, y, 0) >> Math.max(0, shift));
                rgb[at++] = value;
                rgb[at++] = value;
                rgb[at++] = value;
            }
        }
    }
}
