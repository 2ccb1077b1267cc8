package dev.retrograd.rewards;

import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.Concat;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.Slice;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;

/// A differentiable estimate of the bytes that baseline JPEG's entropy coder (ITU-T T.81, F.1.2, standard Huffman tables) spends on coefficients.
///
/// With softly quantised coefficients c and `u = ln(1 + c²)`, `exp(−Σ u)` over a run of them is near 1 if all are zero and near 0 otherwise.
/// So the coder's costs become smooth sums over blocks:
///
/// | cost | what the coder does | here |
/// |---|---|---|
/// | magnitude | writes a size category and as many bits | u of every AC coefficient |
/// | reach | walks the zig-zag up to the last non-zero one: runs of zeros | Σᵢ 1 − exp(−Σⱼ≥ᵢ uⱼ) |
/// | coded | has anything to say before the end of the block | the first term of that sum |
/// | difference | writes DC as the difference to the block before | ln(1 + d²) |
/// | block | ends the block, names DC's size | 1 |
final class JpegRate {
    /// Bits for one unit of each cost.
    record Costs(double magnitude, double reach, double coded, double difference, double block) {
    }

    /// Least squares of relative error over encoded pictures of many kinds at qualities 50, 75, 95, both chroma resolutions: `JpegRateFitTest` repeats it.
    static final Costs LUMA = new Costs(1.45, 1.59, 6.33, 0.73, 7.21);
    static final Costs CHROMA = new Costs(1.74, 1.56, 3.96, 1.02, 4.15);

    /// Everything in a file but the coded blocks: the markers and tables that libjpeg writes, and on average half a byte of padding.
    static final double HEADER_BYTES = 625.5;

    /// AC coefficients of a block.
    private static final int AC = 63;
    private static final double BITS_PER_KB = 8000;

    private final DifferentiableJpeg jpeg;
    private final int lumaBlocks;
    private final int blocks;
    private final Tensor negativeSuffixSums;
    private final Tensor weights;

    JpegRate(DifferentiableJpeg jpeg) {
        this.jpeg = jpeg;
        lumaBlocks = jpeg.settings().lumaBlocks();
        blocks = jpeg.settings().blocks();
        double[] triangle = new double[AC * AC];
        for (int i = 0; i < AC; i++) {
            for (int j = i; j < AC; j++) {
                triangle[i * AC + j] = -1;
            }
        }
        negativeSuffixSums = jpeg.owned("jpeg.negativeSuffixSums", triangle, AC, AC);
        weights = jpeg.owned("jpeg.weights", weights(), 1, statisticsSize());
    }

    private int statisticsSize() {
        return 2 * blocks * AC + 3;
    }

    private Costs costs(int block) {
        return block < lumaBlocks ? LUMA : CHROMA;
    }

    /// KB for one unit of each of the statistics.
    private double[] weights() {
        double[] w = new double[statisticsSize()];
        for (int n = 0; n < blocks; n++) {
            Costs c = costs(n);
            for (int i = 0; i < AC; i++) {
                w[n * AC + i] = c.magnitude / BITS_PER_KB;
                w[(blocks + n) * AC + i] = -(c.reach + (i == 0 ? c.coded : 0)) / BITS_PER_KB;
            }
        }
        w[2 * blocks * AC] = LUMA.difference / BITS_PER_KB;
        w[2 * blocks * AC + 1] = w[2 * blocks * AC + 2] = CHROMA.difference / BITS_PER_KB;
        return w;
    }

    /// Estimated file size of each image in KB of 1000 bytes.
    ///
    /// @param pixels `F32 [B,H,W,3]` RGB in [0,1]
    /// @return `[B,1]`
    Var kilobytes(Var pixels) {
        int side = jpeg.settings().mcuSide();
        long units = (long) Math.ceilDiv(pixels.dim(1), side) * Math.ceilDiv(pixels.dim(2), side);
        double constant = HEADER_BYTES / 1000;
        for (int n = 0; n < blocks; n++) {
            Costs c = costs(n);
            // The statistics count what is not reached, so all of it is added first.
            constant += units * (c.block + AC * c.reach + c.coded) / BITS_PER_KB;
        }
        return statistics(pixels).apply(new Linear(), pixels.tape().constant(weights)).affine(1, constant);
    }

    /// What the bits are a linear function of, summed over the image.
    ///
    /// @return `[B, N·63 + N·63 + 3]`: per block of the MCU and zig-zag position the magnitudes u and `exp(−Σ u)` from there on; DC differences of Y, Cb, Cr
    Var statistics(Var pixels) {
        Var c = jpeg.coefficients(pixels);                                       // [B,M,N,64]
        int batch = c.dim(0);
        Var real = realBlocks(pixels, c.dim(1));
        Var ac = c.apply(new Slice(3, 1, AC));
        // Halfway between the coefficient and its rounding: the latter alone is flat at every integer, so that a gradient would get stuck there.
        Var soft = ac.apply(new LinearCombination(0, 0.5, 0.5), ac.apply(Unary.ROUND_CUBIC));
        Var u = logarithmOfSquare(soft);
        if (real != null) {
            u = u.times(real);
        }
        Var zeroFrom = u.apply(new Linear(), u.tape().constant(negativeSuffixSums)).apply(Unary.EXP);
        Shape perPosition = Shape.of(batch, 1, blocks, AC);
        return u.apply(new SumTo(perPosition, 1)).reshape(batch, blocks * AC)
                .apply(new Concat(1), zeroFrom.apply(new SumTo(perPosition, 1)).reshape(batch, blocks * AC), differences(c, real));
    }

    /// Costs of the DC differences of Y, Cb, Cr, `[B,3]`; each plane's blocks follow each other in coding order.
    private Var differences(Var c, Var real) {
        int batch = c.dim(0);
        int units = c.dim(1);
        Var dc = c.apply(new Slice(3, 0, 1));                                    // [B,M,N,1]
        Var luma = logarithmOfSquare(difference(dc.apply(new Slice(2, 0, lumaBlocks)).reshape(batch, units * lumaBlocks, 1)));
        if (real != null) {
            luma = luma.times(real.apply(new Slice(2, 0, lumaBlocks)).reshape(1, units * lumaBlocks, 1));
        }
        Var chroma = logarithmOfSquare(difference(dc.apply(new Slice(2, lumaBlocks, 2)).reshape(batch, units, 2)));
        return luma.apply(new SumTo(Shape.of(batch, 1, 1), 1)).reshape(batch, 1)
                .apply(new Concat(1), chroma.apply(new SumTo(Shape.of(batch, 1, 2), 1)).reshape(batch, 2));
    }

    /// Each entry of axis 1 less the one before; the first as it is, since the coder predicts it from 0.
    private static Var difference(Var x) {
        int n = x.dim(1);
        if (n == 1) {
            return x;
        }
        Var rest = x.apply(new Slice(1, 1, n - 1)).minus(x.apply(new Slice(1, 0, n - 1)));
        return x.apply(new Slice(1, 0, 1)).apply(new Concat(1), rest);
    }

    /// `ln(1 + x²)`: smooth at 0, logarithmic far from it.
    private static Var logarithmOfSquare(Var x) {
        return x.times(x).affine(1, 1).apply(Unary.LOG);
    }

    /// 1 where an MCU's block holds pixels, `[1,M,N,1]`; `null` if all do.
    ///
    /// A luma block that lies wholly in the padding is coded as a copy of the one before without AC, for a few constant bits.
    private Var realBlocks(Var pixels, int units) {
        int factor = jpeg.settings().chroma().factor();
        int rows = Math.ceilDiv(pixels.dim(1), 8);
        int columns = Math.ceilDiv(pixels.dim(2), 8);
        if (rows % factor == 0 && columns % factor == 0) {
            return null;
        }
        int unitColumns = Math.ceilDiv(columns, factor);
        double[] mask = new double[units * blocks];
        for (int i = 0; i < mask.length; i++) {
            int unit = i / blocks;
            int block = i % blocks;
            boolean luma = block < lumaBlocks;
            boolean holds = unit / unitColumns * factor + block / factor < rows && unit % unitColumns * factor + block % factor < columns;
            mask[i] = !luma || holds ? 1 : 0;
        }
        return pixels.tape().constant(jpeg.constant("jpeg.realBlocks", mask, 1, units, blocks, 1));
    }
}
