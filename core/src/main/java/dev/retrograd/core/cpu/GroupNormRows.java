package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.util.Arrays;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Group normalisation's passes over rows of one image, by addresses: without the checks of a segment the compiler keeps all constants in registers.
///
/// @param channels floats of a row
/// @param at where the image's channels begin in the arrays of an {@link Affine}
record GroupNormRows(int channels, int at) {

    /// Per image and channel: `y = (x − centre)·scale + offset`. The centre is the mean as a float, so that the subtraction of nearby
    /// floats is exact; the offset carries what the centre's rounding left.
    record Affine(float[] centre, float[] scale, float[] offset) {
        Affine(int size) {
            this(new float[size], new float[size], new float[size]);
        }

        /// Sets a group: `y = gamma·(x − mean)·rstd + beta`.
        ///
        /// @param i index of its first channel, whose gamma and beta are at these addresses
        void normalise(int i, int width, long gamma, long beta, double mean, double rstd) {
            float rounded = (float) mean;
            double left = rounded - mean;
            Arrays.fill(centre, i, i + width, rounded);
            int c = 0;
            for (; c <= width - ChannelSums.LANES; c += ChannelSums.LANES) {
                DoubleVector s = ChannelSums.doubles(gamma + c * 4L).mul(rstd);
                ChannelSums.floats(s).intoArray(scale, i + c);
                ChannelSums.floats(s.mul(left).add(ChannelSums.doubles(beta + c * 4L))).intoArray(offset, i + c);
            }
            for (; c < width; c++) {
                double s = ALL.get(JAVA_FLOAT, gamma + c * 4L) * rstd;
                scale[i + c] = (float) s;
                offset[i + c] = (float) (ALL.get(JAVA_FLOAT, beta + c * 4L) + left * s);
            }
        }

        /// Sets a group to one centre and one offset and, by channel, `rstd·weight`.
        void set(int i, int width, float centre, double rstd, double[] weights, int from, float offset) {
            Arrays.fill(this.centre, i, i + width, centre);
            Arrays.fill(this.offset, i, i + width, offset);
            for (int c = 0; c < width; c++) {
                scale[i + c] = (float) (rstd * weights[from + c]);
            }
        }

        private FloatVector of(FloatVector x, int i) {
            return x.sub(FloatVector.fromArray(FLOATS, centre, i))
                    .fma(FloatVector.fromArray(FLOATS, scale, i), FloatVector.fromArray(FLOATS, offset, i));
        }

        private FloatVector of(FloatVector x, int i, VectorMask<Float> lanes) {
            return x.sub(FloatVector.fromArray(FLOATS, centre, i, lanes))
                    .fma(FloatVector.fromArray(FLOATS, scale, i, lanes), FloatVector.fromArray(FLOATS, offset, i, lanes));
        }
    }

    void apply(long x, long y, long rows, Affine affine) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        for (long o = 0; o < rows * channels * 4L; o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                affine.of(load(x + o + c * 4L), at + c).intoMemorySegment(ALL, y + o + c * 4L, LE);
            }
            if (full < channels) {
                affine.of(load(x + o + full * 4L, tail), at + full, tail).intoMemorySegment(ALL, y + o + full * 4L, LE, tail);
            }
        }
    }

    void applySilu(long x, long y, long rows, Affine affine) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        for (long o = 0; o < rows * channels * 4L; o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                VectorMath.silu(affine.of(load(x + o + c * 4L), at + c)).intoMemorySegment(ALL, y + o + c * 4L, LE);
            }
            if (full < channels) {
                VectorMath.silu(affine.of(load(x + o + full * 4L, tail), at + full, tail)).intoMemorySegment(ALL, y + o + full * 4L, LE, tail);
            }
        }
    }

    /// `dz = dy·silu′(z)` with z by the affine function of x; dz may be dy.
    void applySiluSlope(long x, long dy, long dz, long rows, Affine affine) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        for (long o = 0; o < rows * channels * 4L; o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                VectorMath.siluSlope(affine.of(load(x + o + c * 4L), at + c)).mul(load(dy + o + c * 4L)).intoMemorySegment(ALL, dz + o + c * 4L, LE);
            }
            if (full < channels) {
                VectorMath.siluSlope(affine.of(load(x + o + full * 4L, tail), at + full, tail)).mul(load(dy + o + full * 4L, tail))
                        .intoMemorySegment(ALL, dz + o + full * 4L, LE, tail);
            }
        }
    }

    /// `dx = dy·scale + (x − centre)·slope + offset`; dx may be dy.
    void applyBackward(long x, long dy, long dx, long rows, Affine affine, float[] slope) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        for (long o = 0; o < rows * channels * 4L; o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                FloatVector v = load(x + o + c * 4L)
                        .sub(FloatVector.fromArray(FLOATS, affine.centre, at + c))
                        .fma(FloatVector.fromArray(FLOATS, slope, at + c), FloatVector.fromArray(FLOATS, affine.offset, at + c));
                load(dy + o + c * 4L).fma(FloatVector.fromArray(FLOATS, affine.scale, at + c), v).intoMemorySegment(ALL, dx + o + c * 4L, LE);
            }
            if (full < channels) {
                int i = at + full;
                FloatVector v = load(x + o + full * 4L, tail)
                        .sub(FloatVector.fromArray(FLOATS, affine.centre, i, tail))
                        .fma(FloatVector.fromArray(FLOATS, slope, i, tail), FloatVector.fromArray(FLOATS, affine.offset, i, tail));
                load(dy + o + full * 4L, tail).fma(FloatVector.fromArray(FLOATS, affine.scale, i, tail), v)
                        .intoMemorySegment(ALL, dx + o + full * 4L, LE, tail);
            }
        }
    }
}
