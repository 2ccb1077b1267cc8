package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.DOUBLES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Sums per channel over a run of rows, in float64 and in the order of the rows.
final class ChannelSums {
    /// As many floats as a vector has doubles: they convert with one instruction, straight from memory.
    static final VectorSpecies<Float> HALF = VectorSpecies.of(float.class, VectorShape.forBitSize(VectorMath.FLOATS.vectorBitSize() / 2));
    static final int LANES = HALF.length();
    private static final long HALF_BYTES = HALF.vectorByteSize();

    private ChannelSums() {
    }

    /// Floats from native memory, as doubles.
    static DoubleVector doubles(long address) {
        return (DoubleVector) FloatVector.fromMemorySegment(HALF, Native.ALL, address, Native.LE).convertShape(VectorOperators.F2D, DOUBLES, 0);
    }

    /// Rounded to nearest.
    static FloatVector floats(DoubleVector x) {
        return (FloatVector) x.convertShape(VectorOperators.D2F, HALF, 0);
    }

    private static float at(long address) {
        return Native.ALL.get(JAVA_FLOAT, address);
    }

    /// `sums[c] = Σ d` and `sums[channels + c] = Σ d²` with `d = x − pivot[at + c]`; a pivot among the values keeps their variance
    /// from drowning in the square of their mean.
    ///
    /// @param x address of the first row
    static void moments(long x, long rows, int channels, double[] pivot, int at, double[] sums) {
        long rowBytes = channels * 4L;
        int c = 0;
        for (; c <= channels - 2 * LANES; c += 2 * LANES) {
            DoubleVector pivot0 = DoubleVector.fromArray(DOUBLES, pivot, at + c);
            DoubleVector pivot1 = DoubleVector.fromArray(DOUBLES, pivot, at + c + LANES);
            DoubleVector sum0 = DoubleVector.zero(DOUBLES);
            DoubleVector sum1 = sum0;
            DoubleVector squares0 = sum0;
            DoubleVector squares1 = sum0;
            long o = c * 4L;
            for (long r = 0; r < rows; r++, o += rowBytes) {
                DoubleVector d0 = doubles(x + o).sub(pivot0);
                DoubleVector d1 = doubles(x + o + HALF_BYTES).sub(pivot1);
                sum0 = sum0.add(d0);
                sum1 = sum1.add(d1);
                squares0 = d0.fma(d0, squares0);
                squares1 = d1.fma(d1, squares1);
            }
            sum0.intoArray(sums, c);
            sum1.intoArray(sums, c + LANES);
            squares0.intoArray(sums, channels + c);
            squares1.intoArray(sums, channels + c + LANES);
        }
        for (; c < channels; c++) {
            double sum = 0;
            double squares = 0;
            long o = c * 4L;
            for (long r = 0; r < rows; r++, o += rowBytes) {
                double d = at(x + o) - pivot[at + c];
                sum += d;
                squares = Math.fma(d, d, squares);
            }
            sums[c] = sum;
            sums[channels + c] = squares;
        }
    }

    /// `sums[c] = Σ dy` and `sums[channels + c] = Σ dy·(x − centre[at + c])`.
    ///
    /// @param x address of the first row
    /// @param dy address of the first row
    static void gradients(long x, long dy, long rows, int channels, double[] centre, int at, double[] sums) {
        long rowBytes = channels * 4L;
        int c = 0;
        for (; c <= channels - 2 * LANES; c += 2 * LANES) {
            DoubleVector centre0 = DoubleVector.fromArray(DOUBLES, centre, at + c);
            DoubleVector centre1 = DoubleVector.fromArray(DOUBLES, centre, at + c + LANES);
            DoubleVector sum0 = DoubleVector.zero(DOUBLES);
            DoubleVector sum1 = sum0;
            DoubleVector products0 = sum0;
            DoubleVector products1 = sum0;
            long o = c * 4L;
            for (long r = 0; r < rows; r++, o += rowBytes) {
                DoubleVector dy0 = doubles(dy + o);
                DoubleVector dy1 = doubles(dy + o + HALF_BYTES);
                sum0 = sum0.add(dy0);
                sum1 = sum1.add(dy1);
                products0 = doubles(x + o).sub(centre0).fma(dy0, products0);
                products1 = doubles(x + o + HALF_BYTES).sub(centre1).fma(dy1, products1);
            }
            sum0.intoArray(sums, c);
            sum1.intoArray(sums, c + LANES);
            products0.intoArray(sums, channels + c);
            products1.intoArray(sums, channels + c + LANES);
        }
        for (; c < channels; c++) {
            double sum = 0;
            double products = 0;
            long o = c * 4L;
            for (long r = 0; r < rows; r++, o += rowBytes) {
                double g = at(dy + o);
                sum += g;
                products = Math.fma(at(x + o) - centre[at + c], g, products);
            }
            sums[c] = sum;
            sums[channels + c] = products;
        }
    }

    /// `sums[c] = Σ dy` and `sums[channels + c] = Σ dy·(x − mean)·rstd` with a mean and rstd for every row.
    ///
    /// @param x address of the tensor's first row
    /// @param dy address of the tensor's first row
    /// @param firstRow index of the first row in mean and rstd
    static void gradientsOfRows(long x, long dy, long firstRow, long rows, int channels,
            MemorySegment mean, MemorySegment rstd, double[] sums) {
        long rowBytes = channels * 4L;
        int c = 0;
        for (; c <= channels - 2 * LANES; c += 2 * LANES) {
            DoubleVector sum0 = DoubleVector.zero(DOUBLES);
            DoubleVector sum1 = sum0;
            DoubleVector products0 = sum0;
            DoubleVector products1 = sum0;
            long o = firstRow * rowBytes + c * 4L;
            for (long r = firstRow; r < firstRow + rows; r++, o += rowBytes) {
                DoubleVector centre = DoubleVector.broadcast(DOUBLES, mean.getAtIndex(JAVA_FLOAT, r));
                DoubleVector scale = DoubleVector.broadcast(DOUBLES, rstd.getAtIndex(JAVA_FLOAT, r));
                DoubleVector dy0 = doubles(dy + o);
                DoubleVector dy1 = doubles(dy + o + HALF_BYTES);
                sum0 = sum0.add(dy0);
                sum1 = sum1.add(dy1);
                products0 = doubles(x + o).sub(centre).mul(scale).fma(dy0, products0);
                products1 = doubles(x + o + HALF_BYTES).sub(centre).mul(scale).fma(dy1, products1);
            }
            sum0.intoArray(sums, c);
            sum1.intoArray(sums, c + LANES);
            products0.intoArray(sums, channels + c);
            products1.intoArray(sums, channels + c + LANES);
        }
        for (; c < channels; c++) {
            double sum = 0;
            double products = 0;
            long o = firstRow * rowBytes + c * 4L;
            for (long r = firstRow; r < firstRow + rows; r++, o += rowBytes) {
                double g = at(dy + o);
                double centred = (double) at(x + o) - mean.getAtIndex(JAVA_FLOAT, r);
                sum += g;
                products = Math.fma(centred * rstd.getAtIndex(JAVA_FLOAT, r), g, products);
            }
            sums[c] = sum;
            sums[channels + c] = products;
        }
    }
}
