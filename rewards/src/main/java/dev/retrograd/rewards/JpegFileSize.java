package dev.retrograd.rewards;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOInvalidTreeException;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.plugins.jpeg.JPEGQTable;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/// The size of each image as a JPEG file of the JDK's encoder (libjpeg, standard Huffman tables), in KB of 1000 bytes, signed by the goal.
///
/// The metric that {@link JpegCompressibility} estimates. Source: arXiv 2305.13301, §5.1. Parity: ddpo-pytorch `jpeg_compressibility`, but for
/// headers.
public record JpegFileSize(FileSizeGoal goal, JpegSettings settings) implements BlackBoxReward {

    private static final String METADATA = "javax_imageio_jpeg_image_1.0";

    /// As in the literature: quality 95, 4:2:0.
    public JpegFileSize(FileSizeGoal goal) {
        this(goal, JpegSettings.DDPO);
    }

    /// `jpeg-size` where larger is better: the kilobytes themselves.
    @Override public String name() {
        return goal == FileSizeGoal.LARGER ? "jpeg-size" : "jpeg-" + goal.rewardName();
    }

    @Override public float[] score(PixelBatch images, List<String> prompts) {
        float[] scores = new float[images.batch()];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = goal.sign() * encode(images, i, settings).length / 1000f;
        }
        return scores;
    }

    /// The JPEG file of one image.
    static byte[] encode(PixelBatch images, int image, JpegSettings settings) {
        BufferedImage picture = new BufferedImage(images.width(), images.height(), BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < images.height(); y++) {
            for (int x = 0; x < images.width(); x++) {
                picture.setRGB(x, y, images.rgb(image, y, x, 0) << 16 | images.rgb(image, y, x, 1) << 8 | images.rgb(image, y, x, 2));
            }
        }
        ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
            ImageWriteParam param = writer.getDefaultWriteParam();
            IIOMetadata metadata = writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(picture), param);
            set(metadata, settings);
            writer.setOutput(out);
            writer.write(null, new IIOImage(picture, null, metadata), param);
        } catch (IOException e) {
            throw new UncheckedIOException("jpeg: the encoder failed in memory", e);
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }

    /// Sets the sampling factors of the luma, the first component of the frame (those of the chroma are 1), and both quantisation tables: the encoder's
    /// own scaling by quality rounds some steps below 50 otherwise than libjpeg.
    private static void set(IIOMetadata metadata, JpegSettings settings) throws IIOInvalidTreeException {
        Element root = (Element) metadata.getAsTree(METADATA);
        Element luma = (Element) root.getElementsByTagName("componentSpec").item(0);
        luma.setAttribute("HsamplingFactor", Integer.toString(settings.chroma().factor()));
        luma.setAttribute("VsamplingFactor", Integer.toString(settings.chroma().factor()));
        QuantTables steps = QuantTables.of(settings.quality());
        NodeList tables = root.getElementsByTagName("dqtable");
        for (int i = 0; i < tables.getLength(); i++) {
            IIOMetadataNode table = (IIOMetadataNode) tables.item(i);
            table.setUserObject(new JPEGQTable(table.getAttribute("qtableId").equals("0") ? steps.luma() : steps.chroma()));
        }
        metadata.setFromTree(METADATA, root);
    }
}
