package dev.retrograd.rewards;

/// The linear half of a JPEG encoder and decoder as matrices over one minimum coded unit (MCU), in float64.
///
/// An MCU of side S = 8 or 16 pixels is encoded from its S·S·3 RGB values into its blocks in coding order (luma blocks row by row, Cb, Cr), each
/// of 64 coefficients in zig-zag order, in units of their quantisation steps:
/// colour conversion (JFIF 1.02), level shift, averaging of chroma, DCT-II (ITU-T T.81, A.3.3) and division by the table are one product.
record JpegTransform(JpegSettings settings) {

    /// Rows give Y, Cb, Cr of R, G, B (JFIF 1.02, after ITU-R BT.601).
    private static final double[][] YCBCR = {{0.299, 0.587, 0.114}, {-0.299 / 1.772, -0.587 / 1.772, 0.5}, {0.5, -0.587 / 1.402, -0.114 / 1.402}};

    /// One coefficient: its block, plane (0 luma, 1 Cb, 2 Cr), frequencies, and quantisation step.
    private record Coefficient(int block, int plane, int vertical, int horizontal, int step) {
    }

    /// `[blocks·64, S·S·3]`: RGB in [0,1] to quantised coefficients, but for {@link #encoderBias}.
    double[] encoder() {
        int side = settings.mcuSide();
        double[] matrix = new double[outputs() * side * side * 3];
        for (int row = 0; row < outputs(); row++) {
            Coefficient c = coefficient(row);
            for (int y = 0; y < side; y++) {
                for (int x = 0; x < side; x++) {
                    for (int channel = 0; channel < 3; channel++) {
                        matrix[((row * side + y) * side + x) * 3 + channel] = basis(c, y, x) * 255 * YCBCR[c.plane()][channel] / c.step();
                    }
                }
            }
        }
        return matrix;
    }

    /// `[blocks·64]`: the level shift, that 128 is taken from each luma sample.
    double[] encoderBias() {
        double[] bias = new double[outputs()];
        for (int block = 0; block < settings.lumaBlocks(); block++) {
            // The DC of eight by eight equal samples is eight times the sample.
            bias[block * 64] = -128.0 * 8 / coefficient(block * 64).step();
        }
        return bias;
    }

    /// `[lumaBlocks·64, lumaBlocks·64]`: quantised luma coefficients to the S×S luma samples in [0,1], less 128/255.
    double[] lumaDecoder() {
        int side = settings.mcuSide();
        int inputs = settings.lumaBlocks() * 64;
        double[] matrix = new double[inputs * inputs];
        for (int from = 0; from < inputs; from++) {
            Coefficient c = coefficient(from);
            for (int y = 0; y < side; y++) {
                for (int x = 0; x < side; x++) {
                    matrix[(y * side + x) * inputs + from] = basis(c, y, x) * c.step() / 255;
                }
            }
        }
        return matrix;
    }

    /// `[8·8·2, 2·64]`: quantised Cb and Cr coefficients to 8×8 samples of both in [−½,½], at their own resolution.
    double[] chromaDecoder() {
        int factor = settings.chroma().factor();
        double[] matrix = new double[128 * 128];
        for (int from = 0; from < 128; from++) {
            Coefficient c = coefficient(settings.lumaBlocks() * 64 + from);
            for (int y = 0; y < 8; y++) {
                for (int x = 0; x < 8; x++) {
                    // A chroma sample stands for factor² pixels, among which the encoder's basis is shared.
                    matrix[((y * 8 + x) * 2 + c.plane() - 1) * 128 + from] = basis(c, y * factor, x * factor) * factor * factor * c.step() / 255;
                }
            }
        }
        return matrix;
    }

    /// `[3,3]`: the inverse of the colour conversion, rows R, G, B of Y, Cb, Cr.
    static double[] rgb() {
        return new double[] {1, 0, 1.402, 1, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587, 1, 1.772, 0};
    }

    /// `[3]`: the level shift, back.
    static double[] rgbBias() {
        return new double[] {128 / 255.0, 128 / 255.0, 128 / 255.0};
    }

    private int outputs() {
        return settings.blocks() * 64;
    }

    private Coefficient coefficient(int row) {
        int block = row / 64;
        int plane = Math.max(0, block - settings.lumaBlocks() + 1);
        int position = QuantTables.ZIGZAG[row % 64];
        QuantTables tables = QuantTables.of(settings.quality());
        int step = (plane == 0 ? tables.luma() : tables.chroma())[position];
        return new Coefficient(block, plane, position / 8, position % 8, step);
    }

    /// What a sample at a pixel of the MCU adds to the coefficient; 0 for a luma block in which the pixel does not lie.
    private double basis(Coefficient c, int y, int x) {
        if (c.plane() == 0) {
            int factor = settings.chroma().factor();
            boolean inside = y / 8 == c.block() / factor && x / 8 == c.block() % factor;
            return inside ? dct(c.vertical(), y % 8) * dct(c.horizontal(), x % 8) : 0;
        }
        int factor = settings.chroma().factor();
        return dct(c.vertical(), y / factor) * dct(c.horizontal(), x / factor) / (factor * factor);
    }

    /// The orthonormal DCT-II of eight samples.
    private static double dct(int frequency, int sample) {
        return (frequency == 0 ? Math.sqrt(0.125) : 0.5) * Math.cos((2 * sample + 1) * frequency * Math.PI / 16);
    }
}
