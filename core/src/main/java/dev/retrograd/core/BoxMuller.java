package dev.retrograd.core;

/// Box–Muller on blocks of 16 uniforms: `d[j]` and `d[j + 8]` become a pair of independent N(0,1) values.
///
/// `r = √(−2 ln(1 − d[j]))`, `θ = 2π d[j+8]`, `d[j] = r cos θ`, `d[j+8] = r sin θ`.
///
/// The float form follows the arithmetic of torch's AVX2 kernel operation by operation, fused multiply-adds included, and so gives
/// its bits. Its logarithm, sine and cosine are those of the Cephes library (`logf`, `sinf`, `cosf`), good to about one unit in the
/// last place over the arguments met here: (0, 1] and [0, 2π). A processor without fused multiply-add gives the same bits, slowly.
///
/// Source: Box and Muller, 1958. Parity: `normal_fill` of torch's CPU distributions.
final class BoxMuller {

    /// Values per block; the first half holds radii, the second half angles.
    static final int BLOCK = 16;

    private static final int HALF = BLOCK / 2;
    private static final float TWO_PI = (float) (2 * Math.PI);

    private BoxMuller() {}

    /// How many uniforms n values take: n in whole blocks, rounded up.
    static int uniforms(int n) {
        return Math.ceilDiv(n, BLOCK) * BLOCK;
    }

    /// n values at `to` from {@link #uniforms} at `from`: whole blocks, and where 16 does not divide n one more, which overwrites the last 16 places.
    static void normals(float[] uniforms, int from, float[] y, int to, int n) {
        for (int block = 0; block < uniforms(n); block += BLOCK) {
            int at = to + Math.min(block, n - BLOCK);
            System.arraycopy(uniforms, from + block, y, at, BLOCK);
            transform(y, at);
        }
    }

    /// Transforms the 16 values at `from` in place.
    static void transform(float[] d, int from) {
        for (int j = from; j < from + HALF; j++) {
            float radius = (float) Math.sqrt(-2f * log(1 - d[j]));
            float theta = TWO_PI * d[j + HALF];

            // Cody–Waite: theta − octant · π/4 in three parts, octant even, so that |x| ≤ π/4.
            int octant = (int) (theta * (float) (4 / Math.PI)) + 1 & ~1;
            float x = Math.fma((float) octant, -0.78515625f, theta);
            x = Math.fma((float) octant, -2.4187564849853515625e-4f, x);
            x = Math.fma((float) octant, -3.77489497744594108e-8f, x);
            float z = x * x;
            float cos = cosine(z);
            float sin = sine(x, z);

            boolean swapped = (octant & 2) != 0;
            int sinSign = (octant & 4) << 29;
            int cosSign = (~(octant - 2) & 4) << 29;
            d[j] = radius * flip(swapped ? sin : cos, cosSign);
            d[j + HALF] = radius * flip(swapped ? cos : sin, sinSign);
        }
    }

    /// Transforms the 16 values at `from` in place.
    static void transform(double[] d, int from) {
        for (int j = from; j < from + HALF; j++) {
            double radius = Math.sqrt(-2 * Math.log(1 - d[j]));
            double theta = 2 * Math.PI * d[j + HALF];
            d[j] = radius * Math.cos(theta);
            d[j + HALF] = radius * Math.sin(theta);
        }
    }

    /// ln(x) for normal x in (0, 1]: `x = m · 2^e` with m in [√½, √2), a polynomial in m − 1, and `e ln 2` in two parts.
    private static float log(float x) {
        int bits = Float.floatToRawIntBits(x);
        float mantissa = Float.intBitsToFloat(bits & 0x007fffff | 0x3f000000);   // [½, 1)
        boolean low = mantissa < (float) Math.sqrt(0.5);
        float e = (bits >>> 23) - 126 - (low ? 1 : 0);
        float m = mantissa - 1 + (low ? mantissa : 0f);
        float z = m * m;
        float y = 7.0376836292e-2f;
        y = Math.fma(y, m, -1.1514610310e-1f);
        y = Math.fma(y, m, 1.1676998740e-1f);
        y = Math.fma(y, m, -1.2420140846e-1f);
        y = Math.fma(y, m, 1.4249322787e-1f);
        y = Math.fma(y, m, -1.6668057665e-1f);
        y = Math.fma(y, m, 2.0000714765e-1f);
        y = Math.fma(y, m, -2.4999993993e-1f);
        y = Math.fma(y, m, 3.3333331174e-1f);
        y = Math.fma(y * m, z, e * -2.12194440e-4f);
        y = Math.fma(z, -0.5f, y);
        return Math.fma(e, 0.693359375f, m + y);
    }

    /// cos(x) for |x| ≤ π/4, z = x².
    private static float cosine(float z) {
        float y = 2.443315711809948e-5f;
        y = Math.fma(y, z, -1.388731625493765e-3f);
        y = Math.fma(y, z, 4.166664568298827e-2f);
        y = Math.fma(y * z, z, z * -0.5f);
        return y + 1;
    }

    /// sin(x) for |x| ≤ π/4, z = x².
    private static float sine(float x, float z) {
        float y = -1.9515295891e-4f;
        y = Math.fma(y, z, 8.3321608736e-3f);
        y = Math.fma(y, z, -1.6666654611e-1f);
        return Math.fma(y * z, x, x);
    }

    private static float flip(float value, int signBit) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(value) ^ signBit);
    }
}
