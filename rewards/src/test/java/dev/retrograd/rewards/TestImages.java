package dev.retrograd.rewards;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/// Seeded pictures of many kinds, from flat to noise, in colour and grey, for comparison with real encoders.
final class TestImages {

    /// One kind of picture.
    private enum Kind { WHITE_NOISE, BLURRED_NOISE, GRADIENT, SHAPES, WAVES, CHECKS, OCTAVES, SCENE }

    private TestImages() {
    }

    /// `count` images of one size; image i is a function of (seed, i).
    static PixelBatch batch(long seed, int count, int height, int width) {
        float[] pixels = new float[count * height * width * 3];
        for (int i = 0; i < count; i++) {
            RandomGenerator random = new SplittableRandom(seed * 1_000_003 + i);
            draw(Kind.values()[i % Kind.values().length], random, height, width).store(pixels, i * height * width * 3);
        }
        return new PixelBatch(pixels, count, height, width);
    }

    /// Smooth images only: octaves of blurred noise, as a VAE gives them.
    static PixelBatch smooth(long seed, int count, int height, int width) {
        float[] pixels = new float[count * height * width * 3];
        for (int i = 0; i < count; i++) {
            RandomGenerator random = new SplittableRandom(seed * 1_000_003 + i);
            Picture p = new Picture(height, width);
            p.octaves(random, Math.min(height, width) / 2.0, Math.min(height, width) / 8.0, 0.5);
            p.store(pixels, i * height * width * 3);
        }
        return new PixelBatch(pixels, count, height, width);
    }

    private static Picture draw(Kind kind, RandomGenerator random, int height, int width) {
        Picture p = new Picture(height, width);
        int side = Math.min(height, width);
        // Amplitudes and scales are drawn evenly in their logarithms, so that sizes spread over the whole range.
        double amplitude = between(random, 0.01, 0.6);
        switch (kind) {
            case WHITE_NOISE -> p.noise(random, 1, amplitude);
            case BLURRED_NOISE -> p.noise(random, between(random, 1.2, side / 3.0), amplitude);
            case GRADIENT -> p.gradient(random, amplitude);
            case SHAPES -> p.shapes(random, 1 + random.nextInt(30), 0.5);
            case WAVES -> p.waves(random, 1 + random.nextInt(4), amplitude);
            case CHECKS -> p.checks(random, amplitude);
            case OCTAVES -> p.octaves(random, side / 2.0, between(random, 1, side / 6.0), between(random, 0.1, 0.6));
            case SCENE -> {
                p.octaves(random, side, between(random, 4, side / 3.0), 0.5);
                p.shapes(random, 1 + random.nextInt(8), between(random, 0.5, 6));
                p.noise(random, between(random, 1, 4), amplitude * 0.3);
            }
        }
        if (random.nextInt(5) == 0) {
            p.grey();
        }
        return p;
    }

    /// From `low` to `high`, evenly in the logarithm.
    private static double between(RandomGenerator random, double low, double high) {
        return low * Math.pow(high / low, random.nextDouble());
    }

    /// A canvas that starts mid-grey.
    private static final class Picture {
        private final int height;
        private final int width;
        private final double[] values;

        Picture(int height, int width) {
            this.height = height;
            this.width = width;
            values = new double[height * width * 3];
            Arrays.fill(values, 0.5);
        }

        void store(float[] pixels, int at) {
            for (int i = 0; i < values.length; i++) {
                pixels[at + i] = (float) Math.clamp(values[i], 0, 1);
            }
        }

        void grey() {
            for (int i = 0; i < values.length; i += 3) {
                double mean = (values[i] + values[i + 1] + values[i + 2]) / 3;
                values[i] = values[i + 1] = values[i + 2] = mean;
            }
        }

        /// Normal noise on a grid of the given spacing in pixels, interpolated smoothly; half of it is common to the channels.
        void noise(RandomGenerator random, double spacing, double amplitude) {
            int rows = (int) Math.ceil(height / spacing) + 2;
            int columns = (int) Math.ceil(width / spacing) + 2;
            double[] grid = new double[rows * columns * 3];
            for (int i = 0; i < grid.length; i += 3) {
                double common = random.nextGaussian();
                for (int c = 0; c < 3; c++) {
                    grid[i + c] = amplitude * (common + random.nextGaussian()) * Math.sqrt(0.5);
                }
            }
            for (int y = 0; y < height; y++) {
                int row = (int) (y / spacing);
                double v = eased(y / spacing - row);
                for (int x = 0; x < width; x++) {
                    int column = (int) (x / spacing);
                    double u = eased(x / spacing - column);
                    for (int c = 0; c < 3; c++) {
                        int at = (row * columns + column) * 3 + c;
                        double top = grid[at] * (1 - u) + grid[at + 3] * u;
                        double bottom = grid[at + columns * 3] * (1 - u) + grid[at + columns * 3 + 3] * u;
                        values[(y * width + x) * 3 + c] += top * (1 - v) + bottom * v;
                    }
                }
            }
        }

        private static double eased(double t) {
            return t * t * (3 - 2 * t);
        }

        /// Noise at spacings halved from `coarsest` to `finest`, each `decay` times the one before.
        void octaves(RandomGenerator random, double coarsest, double finest, double decay) {
            double amplitude = 0.25;
            for (double spacing = coarsest; spacing >= finest; spacing /= 2) {
                noise(random, Math.max(spacing, 1), amplitude);
                amplitude *= decay;
            }
        }

        void gradient(RandomGenerator random, double amplitude) {
            for (int c = 0; c < 3; c++) {
                double dy = random.nextGaussian() * amplitude * 2 / height;
                double dx = random.nextGaussian() * amplitude * 2 / width;
                for (int y = 0; y < height; y++) {
                    for (int x = 0; x < width; x++) {
                        values[(y * width + x) * 3 + c] += dy * (y - height / 2.0) + dx * (x - width / 2.0);
                    }
                }
            }
        }

        /// Discs and boxes of one colour each, with edges as soft as `softness` pixels.
        void shapes(RandomGenerator random, int count, double softness) {
            for (int i = 0; i < count; i++) {
                boolean disc = random.nextBoolean();
                double cy = random.nextDouble() * height;
                double cx = random.nextDouble() * width;
                double ry = between(random, 2, height / 2.0);
                double rx = between(random, 2, width / 2.0);
                double[] colour = {random.nextDouble(), random.nextDouble(), random.nextDouble()};
                for (int y = 0; y < height; y++) {
                    for (int x = 0; x < width; x++) {
                        double ay = Math.abs(y - cy) / ry;
                        double ax = Math.abs(x - cx) / rx;
                        double distance = ((disc ? Math.hypot(ay, ax) : Math.max(ay, ax)) - 1) * Math.min(ry, rx);
                        double cover = Math.clamp(0.5 - distance / softness, 0, 1);
                        for (int c = 0; c < 3; c++) {
                            int at = (y * width + x) * 3 + c;
                            values[at] += cover * (colour[c] - values[at]);
                        }
                    }
                }
            }
        }

        void waves(RandomGenerator random, int count, double amplitude) {
            for (int i = 0; i < count; i++) {
                double length = between(random, 2.5, width);
                double angle = random.nextDouble() * Math.PI;
                double[] tint = {random.nextDouble(), random.nextDouble(), random.nextDouble()};
                for (int y = 0; y < height; y++) {
                    for (int x = 0; x < width; x++) {
                        double wave = amplitude * Math.sin(2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle)) / length);
                        for (int c = 0; c < 3; c++) {
                            values[(y * width + x) * 3 + c] += wave * tint[c];
                        }
                    }
                }
            }
        }

        void checks(RandomGenerator random, double amplitude) {
            int cell = (int) between(random, 2, height / 2.0);
            double[] tint = {random.nextDouble(), random.nextDouble(), random.nextDouble()};
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    double sign = (y / cell + x / cell) % 2 == 0 ? 1 : -1;
                    for (int c = 0; c < 3; c++) {
                        values[(y * width + x) * 3 + c] += sign * amplitude * tint[c];
                    }
                }
            }
        }
    }
}
