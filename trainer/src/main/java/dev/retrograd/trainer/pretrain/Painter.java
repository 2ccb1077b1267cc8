package dev.retrograd.trainer.pretrain;

import dev.retrograd.core.RandomStream;

/// Draws scenes: 64×64 pictures with edges smoothed by 3×3 samples per pixel.
public final class Painter {
    private static final int SAMPLES = 3;
    private static final int CHANNELS = 3;
    private static final double PLACE_JITTER = 1;
    private static final double RADIUS_JITTER = 0.06;

    private Painter() {
    }

    /// Draws a scene.
    ///
    /// @param jitter moves objects by up to a pixel each way and changes their radius by up to 6 %
    /// @return `[64,64,3]` in [-1,1]
    public static float[] draw(Scene scene, RandomStream jitter) {
        int size = World.SIZE;
        float[] image = new float[size * size * CHANNELS];
        for (int y = 0; y < size; y++) {
            float down = (y + 0.5f) / size;
            for (int x = 0; x < size; x++) {
                for (int c = 0; c < CHANNELS; c++) {
                    image[(y * size + x) * CHANNELS + c] = 2 * scene.backdrop().channel(c, down) - 1;
                }
            }
        }
        for (SceneObject o : scene.objects()) {
            double x = o.place().x() + PLACE_JITTER * (2 * jitter.nextDouble() - 1);
            double y = o.place().y() + PLACE_JITTER * (2 * jitter.nextDouble() - 1);
            double radius = o.extent().radius() * (1 + RADIUS_JITTER * (2 * jitter.nextDouble() - 1));
            draw(o, x, y, radius, image);
        }
        return image;
    }

    private static void draw(SceneObject o, double centerX, double centerY, double radius, float... image) {
        int size = World.SIZE;
        int left = Math.max(0, (int) Math.floor(centerX - radius));
        int right = Math.min(size - 1, (int) Math.ceil(centerX + radius));
        int top = Math.max(0, (int) Math.floor(centerY - radius));
        int bottom = Math.min(size - 1, (int) Math.ceil(centerY + radius));
        for (int y = top; y <= bottom; y++) {
            for (int x = left; x <= right; x++) {
                blend(o, centerX, centerY, radius, x, y, image);
            }
        }
    }

    private static void blend(SceneObject o, double centerX, double centerY, double radius, int x, int y, float... image) {
        int bright = 0;
        int dark = 0;
        for (int j = 0; j < SAMPLES; j++) {
            for (int i = 0; i < SAMPLES; i++) {
                double dx = x + (i + 0.5) / SAMPLES - centerX;
                double dy = y + (j + 0.5) / SAMPLES - centerY;
                if (!o.figure().contains(dx / radius, dy / radius)) {
                    continue;
                }
                if (o.texture().dark(dx, dy)) {
                    dark++;
                } else {
                    bright++;
                }
            }
        }
        float inside = (float) (bright + dark) / (SAMPLES * SAMPLES);
        float light = (bright + Texture.DARKENING * dark) / (SAMPLES * SAMPLES);
        for (int c = 0; c < CHANNELS; c++) {
            int at = (y * World.SIZE + x) * CHANNELS + c;
            float unit = (image[at] + 1) / 2;
            image[at] = 2 * ((1 - inside) * unit + light * o.paint().channel(c)) - 1;
        }
    }
}
