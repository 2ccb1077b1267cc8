package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.DOUBLES;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Kernels that treat every row alone: layer normalisation, softmax, the gated GELU. Sums of layer normalisation are float64.
final class CpuNorms {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final Workers workers;

    CpuNorms(Workers workers) {
        this.workers = workers;
    }

    void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofRows(x);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gammas = CpuMemory.data(gamma);
        MemorySegment betas = CpuMemory.data(beta);
        MemorySegment out = CpuMemory.data(y);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                normaliseRow(in, chunks.byteOffset(0, row), chunks.channels(), eps, gammas, betas, out, means, rstds, row);
            }
        });
    }

    private static void normaliseRow(MemorySegment x, long offset, int channels, double eps, MemorySegment gamma, MemorySegment beta,
            MemorySegment y, MemorySegment means, MemorySegment rstds, long row) {
        // about a pivot among the values, lest their variance drown in the square of their mean
        double pivot = x.get(JAVA_FLOAT, offset);
        DoubleVector sums = DoubleVector.zero(DOUBLES);
        DoubleVector squares = sums;
        int c = 0;
        for (; c <= channels - ChannelSums.LANES; c += ChannelSums.LANES) {
            DoubleVector d = ChannelSums.doubles(x, offset + c * 4L).sub(pivot);
            sums = sums.add(d);
            squares = d.fma(d, squares);
        }
        double sum = VectorMath.sum(sums);
        double square = VectorMath.sum(squares);
        for (; c < channels; c++) {
            double d = x.get(JAVA_FLOAT, offset + c * 4L) - pivot;
            sum += d;
            square = Math.fma(d, d, square);
        }
        double fromPivot = sum / channels;
        double mean = pivot + fromPivot;
        double rstd = 1 / Math.sqrt(Math.max(0, square / channels - fromPivot * fromPivot) + eps);
        means.setAtIndex(JAVA_FLOAT, row, (float) mean);
        rstds.setAtIndex(JAVA_FLOAT, row, (float) rstd);
        // x − mean is exact near the mean; `shift` carries what the mean's rounding to a float left
        float centre = (float) mean;
        float scale = (float) rstd;
        float shift = (float) ((centre - mean) * rstd);
        for (c = 0; c < channels; c += LANES) {
            long o = offset + c * 4L;
            if (c <= channels - LANES) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o, ORDER).sub(centre).mul(scale).add(shift);
                v.fma(FloatVector.fromMemorySegment(FLOATS, gamma, c * 4L, ORDER), FloatVector.fromMemorySegment(FLOATS, beta, c * 4L, ORDER))
                        .intoMemorySegment(y, o, ORDER);
            } else {
                VectorMask<Float> tail = VectorMath.firstLanes(channels - c);
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o, ORDER, tail).sub(centre).mul(scale).add(shift);
                v.fma(FloatVector.fromMemorySegment(FLOATS, gamma, c * 4L, ORDER, tail), FloatVector.fromMemorySegment(FLOATS, beta, c * 4L, ORDER, tail))
                        .intoMemorySegment(y, o, ORDER, tail);
            }
        }
    }

    /// `dx = rstd·(g − mean(g) − x̂·mean(g·x̂))` with `g = gamma·dy`, `x̂ = (x − mean)·rstd` and means over the row.
    void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(x);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gammas = CpuMemory.data(gamma);
        MemorySegment gradient = CpuMemory.data(dy);
        MemorySegment out = CpuMemory.data(dx);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                differentiateRow(in, gammas, gradient, out, chunks.byteOffset(0, row), chunks.channels(),
                        means.getAtIndex(JAVA_FLOAT, row), rstds.getAtIndex(JAVA_FLOAT, row));
            }
        });
    }

    private static void differentiateRow(MemorySegment x, MemorySegment gamma, MemorySegment dy, MemorySegment dx, long offset, int channels,
            float mean, float rstd) {
        DoubleVector sums = DoubleVector.zero(DOUBLES);
        DoubleVector products = sums;
        int c = 0;
        for (; c <= channels - ChannelSums.LANES; c += ChannelSums.LANES) {
            DoubleVector g = ChannelSums.doubles(dy, offset + c * 4L).mul(ChannelSums.doubles(gamma, c * 4L));
            sums = sums.add(g);
            products = ChannelSums.doubles(x, offset + c * 4L).sub(mean).fma(g, products);
        }
        double sum = VectorMath.sum(sums);
        double product = VectorMath.sum(products);
        for (; c < channels; c++) {
            double g = (double) dy.get(JAVA_FLOAT, offset + c * 4L) * gamma.get(JAVA_FLOAT, c * 4L);
            sum += g;
            product = Math.fma((double) x.get(JAVA_FLOAT, offset + c * 4L) - mean, g, product);
        }
        float constant = (float) (-rstd * sum / channels);
        float slope = (float) (-(double) rstd * rstd * rstd * product / channels);
        for (c = 0; c < channels; c += LANES) {
            long o = offset + c * 4L;
            if (c <= channels - LANES) {
                FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, o, ORDER).mul(FloatVector.fromMemorySegment(FLOATS, gamma, c * 4L, ORDER));
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o, ORDER).sub(mean).mul(slope).add(constant);
                g.mul(rstd).add(v).intoMemorySegment(dx, o, ORDER);
            } else {
                VectorMask<Float> tail = VectorMath.firstLanes(channels - c);
                FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, o, ORDER, tail).mul(FloatVector.fromMemorySegment(FLOATS, gamma, c * 4L, ORDER, tail));
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o, ORDER, tail).sub(mean).mul(slope).add(constant);
                g.mul(rstd).add(v).intoMemorySegment(dx, o, ORDER, tail);
            }
        }
    }

    /// `dgamma = Σ dy·(x − mean)·rstd`, `dbeta = Σ dy` over rows.
    void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        RowChunks chunks = RowChunks.ofRows(x);
        int channels = chunks.channels();
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gradient = CpuMemory.data(dy);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        double[][] partial = new double[chunks.chunksPerImage()][];
        chunks.forEach(workers, (_, chunk, from, to) -> {
            partial[chunk] = new double[2 * channels];
            ChannelSums.gradientsOfRows(in, gradient, from, to - from, channels, means, rstds, partial[chunk]);
        });
        MemorySegment dgammas = CpuMemory.data(dgamma);
        MemorySegment dbetas = CpuMemory.data(dbeta);
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            double products = 0;
            for (double[] p : partial) {
                sum += p[c];
                products += p[channels + c];
            }
            dgammas.setAtIndex(JAVA_FLOAT, c, (float) products);
            dbetas.setAtIndex(JAVA_FLOAT, c, (float) sum);
        }
    }

    void softmax(Tensor x, Tensor y) {
        RowChunks chunks = RowChunks.ofRows(x);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                softmaxRow(in, out, chunks.byteOffset(0, row), chunks.channels());
            }
        });
    }

    private static void softmaxRow(MemorySegment x, MemorySegment y, long offset, int channels) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        FloatVector maxima = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
        for (int c = 0; c < full; c += LANES) {
            maxima = maxima.max(FloatVector.fromMemorySegment(FLOATS, x, offset + c * 4L, ORDER));
        }
        if (full < channels) {
            maxima = maxima.lanewise(VectorOperators.MAX, FloatVector.fromMemorySegment(FLOATS, x, offset + full * 4L, ORDER, tail), tail);
        }
        float max = maxima.reduceLanes(VectorOperators.MAX);
        FloatVector sums = FloatVector.zero(FLOATS);
        for (int c = 0; c < full; c += LANES) {
            FloatVector e = VectorMath.exp(FloatVector.fromMemorySegment(FLOATS, x, offset + c * 4L, ORDER).sub(max));
            e.intoMemorySegment(y, offset + c * 4L, ORDER);
            sums = sums.add(e);
        }
        if (full < channels) {
            FloatVector e = VectorMath.exp(FloatVector.fromMemorySegment(FLOATS, x, offset + full * 4L, ORDER, tail).sub(max));
            e.intoMemorySegment(y, offset + full * 4L, ORDER, tail);
            sums = sums.add(e, tail);
        }
        float scale = 1 / VectorMath.sum(sums);
        for (int c = 0; c < full; c += LANES) {
            FloatVector.fromMemorySegment(FLOATS, y, offset + c * 4L, ORDER).mul(scale).intoMemorySegment(y, offset + c * 4L, ORDER);
        }
        if (full < channels) {
            FloatVector.fromMemorySegment(FLOATS, y, offset + full * 4L, ORDER, tail).mul(scale).intoMemorySegment(y, offset + full * 4L, ORDER, tail);
        }
    }

    void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(y);
        MemorySegment out = CpuMemory.data(y);
        MemorySegment gradient = CpuMemory.data(dy);
        MemorySegment target = CpuMemory.data(dx);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                softmaxBackwardRow(out, gradient, target, chunks.byteOffset(0, row), chunks.channels());
            }
        });
    }

    private static void softmaxBackwardRow(MemorySegment y, MemorySegment dy, MemorySegment dx, long offset, int channels) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        FloatVector products = FloatVector.zero(FLOATS);
        for (int c = 0; c < full; c += LANES) {
            products = FloatVector.fromMemorySegment(FLOATS, y, offset + c * 4L, ORDER)
                    .fma(FloatVector.fromMemorySegment(FLOATS, dy, offset + c * 4L, ORDER), products);
        }
        if (full < channels) {
            products = FloatVector.fromMemorySegment(FLOATS, y, offset + full * 4L, ORDER, tail)
                    .fma(FloatVector.fromMemorySegment(FLOATS, dy, offset + full * 4L, ORDER, tail), products);
        }
        float product = VectorMath.sum(products);
        for (int c = 0; c < full; c += LANES) {
            FloatVector.fromMemorySegment(FLOATS, dy, offset + c * 4L, ORDER).sub(product)
                    .mul(FloatVector.fromMemorySegment(FLOATS, y, offset + c * 4L, ORDER)).intoMemorySegment(dx, offset + c * 4L, ORDER);
        }
        if (full < channels) {
            FloatVector.fromMemorySegment(FLOATS, dy, offset + full * 4L, ORDER, tail).sub(product)
                    .mul(FloatVector.fromMemorySegment(FLOATS, y, offset + full * 4L, ORDER, tail)).intoMemorySegment(dx, offset + full * 4L, ORDER, tail);
        }
    }

    void geglu(Tensor x, Tensor y) {
        RowChunks chunks = RowChunks.ofRows(y);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                gegluRow(in, out, row, chunks.channels());
            }
        });
    }

    private static void gegluRow(MemorySegment x, MemorySegment y, long row, int channels) {
        long at = row * channels * 4L;
        int full = FLOATS.loopBound(channels);
        for (int c = 0; c < full; c += LANES) {
            long value = 2 * at + c * 4L;
            long gate = value + channels * 4L;
            VectorMath.gelu(FloatVector.fromMemorySegment(FLOATS, x, gate, ORDER))
                    .mul(FloatVector.fromMemorySegment(FLOATS, x, value, ORDER)).intoMemorySegment(y, at + c * 4L, ORDER);
        }
        if (full < channels) {
            gegluTail(x, y, at + full * 4L, 2 * at + full * 4L, channels, channels - full);
        }
    }

    private static void gegluTail(MemorySegment x, MemorySegment y, long result, long value, int channels, int count) {
        VectorMask<Float> tail = VectorMath.firstLanes(count);
        VectorMath.gelu(FloatVector.fromMemorySegment(FLOATS, x, value + channels * 4L, ORDER, tail))
                .mul(FloatVector.fromMemorySegment(FLOATS, x, value, ORDER, tail)).intoMemorySegment(y, result, ORDER, tail);
    }

    void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(dy);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gradient = CpuMemory.data(dy);
        MemorySegment out = CpuMemory.data(dx);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                gegluBackwardRow(in, gradient, out, row, chunks.channels());
            }
        });
    }

    private static void gegluBackwardRow(MemorySegment x, MemorySegment dy, MemorySegment dx, long row, int channels) {
        long at = row * channels * 4L;
        int full = FLOATS.loopBound(channels);
        for (int c = 0; c < full; c += LANES) {
            long value = 2 * at + c * 4L;
            long gate = value + channels * 4L;
            FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, at + c * 4L, ORDER);
            FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, value, ORDER);
            FloatVector z = FloatVector.fromMemorySegment(FLOATS, x, gate, ORDER);
            FloatVector gauss = VectorMath.gauss(z);
            FloatVector cdf = VectorMath.normalCdf(z, gauss);
            z.mul(cdf).mul(g).intoMemorySegment(dx, value, ORDER);
            VectorMath.geluSlope(z, gauss, cdf).mul(v).mul(g).intoMemorySegment(dx, gate, ORDER);
        }
        if (full < channels) {
            gegluBackwardTail(x, dy, dx, at + full * 4L, 2 * at + full * 4L, channels, channels - full);
        }
    }

    /// Apart, because the loop alone is nearly as much as the compiler inlines.
    private static void gegluBackwardTail(MemorySegment x, MemorySegment dy, MemorySegment dx, long gradient, long value, int channels, int count) {
        long gate = value + channels * 4L;
        VectorMask<Float> tail = VectorMath.firstLanes(count);
        FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, gradient, ORDER, tail);
        FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, value, ORDER, tail);
        FloatVector z = FloatVector.fromMemorySegment(FLOATS, x, gate, ORDER, tail);
        FloatVector gauss = VectorMath.gauss(z);
        FloatVector cdf = VectorMath.normalCdf(z, gauss);
        z.mul(cdf).mul(g).intoMemorySegment(dx, value, ORDER, tail);
        VectorMath.geluSlope(z, gauss, cdf).mul(v).mul(g).intoMemorySegment(dx, gate, ORDER, tail);
    }
}
