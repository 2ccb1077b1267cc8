package dev.retrograd.rewards;

/// How an encoder is set.
///
/// @param quality 1..100, the scale of libjpeg
/// @param chroma resolution of the two colour planes
public record JpegSettings(int quality, Chroma chroma) {

    /// Resolution of the two colour planes.
    public enum Chroma {
        /// 4:4:4, that of the luma
        FULL(1),
        /// 4:2:0, half in both directions: the default of libjpeg, PIL and ImageIO
        HALF(2);

        private final int factor;

        Chroma(int factor) {
            this.factor = factor;
        }

        /// Luma samples for one chroma sample, in each direction.
        int factor() {
            return factor;
        }
    }

    /// That of the compressibility rewards in the literature: quality 95, 4:2:0.
    public static final JpegSettings DDPO = new JpegSettings(95, Chroma.HALF);

    /// @throws IllegalArgumentException unless the quality is 1..100
    public JpegSettings {
        if (quality < 1 || quality > 100) {
            throw new IllegalArgumentException("jpeg: quality must be 1..100, got " + quality);
        }
    }

    /// Side of a minimum coded unit in pixels, 8 or 16.
    int mcuSide() {
        return 8 * chroma.factor();
    }

    /// Luma blocks of a minimum coded unit, 1 or 4; one block of Cb and one of Cr follow.
    int lumaBlocks() {
        return chroma.factor() * chroma.factor();
    }

    int blocks() {
        return lumaBlocks() + 2;
    }
}
