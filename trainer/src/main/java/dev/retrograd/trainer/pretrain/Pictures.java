package dev.retrograd.trainer.pretrain;

import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Grids of the world's pictures as PNG files.
final class Pictures {
    private static final int COLUMNS = 8;
    private static final int GAP = 2;
    private static final int ENLARGEMENT = 2;

    private Pictures() {
    }

    /// @param images `[B,64,64,3]` in [-1,1]; what lies beyond is clamped
    static void write(Path file, float... images) throws IOException {
        PngFile.write(file, grid().compose(split(images)), Map.of());
    }

    /// Two batches side by side, picture by picture.
    static void writePairs(Path file, float[] left, float[] right) throws IOException {
        PngFile.write(file, grid().composePairs(split(left), split(right)), Map.of());
    }

    private static ImageGrid grid() {
        return new ImageGrid(COLUMNS, GAP, ENLARGEMENT);
    }

    /// Pictures one after the other.
    static float[] joined(List<float[]> pictures) {
        int each = World.SIZE * World.SIZE * 3;
        float[] all = new float[pictures.size() * each];
        for (int i = 0; i < pictures.size(); i++) {
            System.arraycopy(pictures.get(i), 0, all, i * each, each);
        }
        return all;
    }

    private static List<RgbImage> split(float... images) {
        int each = World.SIZE * World.SIZE * 3;
        List<RgbImage> all = new ArrayList<>();
        for (int i = 0; i < images.length / each; i++) {
            byte[] rgb = new byte[each];
            for (int j = 0; j < each; j++) {
                float unit = Math.clamp(images[i * each + j] / 2 + 0.5f, 0f, 1f);
                rgb[j] = (byte) Math.round(255 * unit);
            }
            all.add(new RgbImage(World.SIZE, World.SIZE, rgb));
        }
        return all;
    }
}
