package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Native.ALL;
import static dev.retrograd.core.cpu.Native.LE;
import static dev.retrograd.core.cpu.VectorMath.DOUBLES;
import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static dev.retrograd.core.cpu.Vectors.load;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Kernels that treat every row alone: layer normalisation, softmax, the gated GELU. Sums of layer normalisation are float64.
final class CpuNorms {
    private final Workers workers;

    CpuNorms(Workers workers) {
        this.workers = workers;
    }

    void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofRows(x);
        long in = chunks.address("layerNorm", x);
        long gammas = CpuMemory.floats("layerNorm", gamma, chunks.channels());
        long betas = CpuMemory.floats("layerNorm", beta, chunks.channels());
        long out = chunks.result("layerNorm", y);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                normaliseRow(in, chunks.byteOffset(0, row), chunks.channels(), eps, gammas, betas, out, means, rstds, row);
            }
        });
    }

    private static void normaliseRow(long x, long offset, int channels, double eps, long gamma, long beta, long y,
            MemorySegment means, MemorySegment rstds, long row) {
        // about a pivot among the values, lest their variance drown in the square of their mean
        double pivot = ALL.get(JAVA_FLOAT, x + offset);
        DoubleVector sums = DoubleVector.zero(DOUBLES);
        DoubleVector squares = sums;
        int c = 0;
        for (; c <= channels - ChannelSums.LANES; c += ChannelSums.LANES) {
            DoubleVector d = ChannelSums.doubles(x + offset + c * 4L).sub(pivot);
            sums = sums.add(d);
            squares = d.fma(d, squares);
        }
        double sum = VectorMath.sum(sums);
        double square = VectorMath.sum(squares);
        for (; c < channels; c++) {
            double d = ALL.get(JAVA_FLOAT, x + offset + c * 4L) - pivot;
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
                FloatVector v = load(x + o).sub(centre).mul(scale).add(shift);
                v.fma(load(gamma + c * 4L), load(beta + c * 4L)).intoMemorySegment(ALL, y + o, LE);
            } else {
                VectorMask<Float> tail = VectorMath.firstLanes(channels - c);
                FloatVector v = load(x + o, tail).sub(centre).mul(scale).add(shift);
                v.fma(load(gamma + c * 4L, tail), load(beta + c * 4L, tail)).intoMemorySegment(ALL, y + o, LE, tail);
            }
        }
    }

    /// `dx = rstd·(g − mean(g) − x̂·mean(g·x̂))` with `g = gamma·dy`, `x̂ = (x − mean)·rstd` and means over the row.
    void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(x);
        long in = chunks.address("layerNormBackward", x);
        long gammas = CpuMemory.floats("layerNormBackward", gamma, chunks.channels());
        long gradient = chunks.address("layerNormBackward", dy);
        long out = chunks.result("layerNormBackward", dx);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                differentiateRow(in, gammas, gradient, out, chunks.byteOffset(0, row), chunks.channels(),
                        means.getAtIndex(JAVA_FLOAT, row), rstds.getAtIndex(JAVA_FLOAT, row));
            }
        });
    }

    private static void differentiateRow(long x, long gamma, long dy, long dx, long offset, int channels, float mean, float rstd) {
        DoubleVector sums = DoubleVector.zero(DOUBLES);
        DoubleVector products = sums;
        int c = 0;
        for (; c <= channels - ChannelSums.LANES; c += ChannelSums.LANES) {
            DoubleVector g = ChannelSums.doubles(dy + offset + c * 4L).mul(ChannelSums.doubles(gamma + c * 4L));
            sums = sums.add(g);
            products = ChannelSums.doubles(x + offset + c * 4L).sub(mean).fma(g, products);
        }
        double sum = VectorMath.sum(sums);
        double product = VectorMath.sum(products);
        for (; c < channels; c++) {
            double g = (double) ALL.get(JAVA_FLOAT, dy + offset + c * 4L) * ALL.get(JAVA_FLOAT, gamma + c * 4L);
            sum += g;
            product = Math.fma((double) ALL.get(JAVA_FLOAT, x + offset + c * 4L) - mean, g, product);
        }
        float constant = (float) (-rstd * sum / channels);
        float slope = (float) (-(double) rstd * rstd * rstd * product / channels);
        for (c = 0; c < channels; c += LANES) {
            long o = offset + c * 4L;
            if (c <= channels - LANES) {
                FloatVector g = load(dy + o).mul(load(gamma + c * 4L));
                FloatVector v = load(x + o).sub(mean).mul(slope).add(constant);
                g.mul(rstd).add(v).intoMemorySegment(ALL, dx + o, LE);
            } else {
                VectorMask<Float> tail = VectorMath.firstLanes(channels - c);
                FloatVector g = load(dy + o, tail).mul(load(gamma + c * 4L, tail));
                FloatVector v = load(x + o, tail).sub(mean).mul(slope).add(constant);
                g.mul(rstd).add(v).intoMemorySegment(ALL, dx + o, LE, tail);
            }
        }
    }

    /// `dgamma = Σ dy·(x − mean)·rstd`, `dbeta = Σ dy` over rows.
    void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        RowChunks chunks = RowChunks.ofRows(x);
        int channels = chunks.channels();
        long in = chunks.address("layerNormBackward", x);
        long gradient = chunks.address("layerNormBackward", dy);
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
        long in = chunks.address("softmax", x);
        long out = chunks.result("softmax", y);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                softmaxRow(in, out, chunks.byteOffset(0, row), chunks.channels());
            }
        });
    }

    private static void softmaxRow(long x, long y, long offset, int channels) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        FloatVector maxima = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
        for (int c = 0; c < full; c += LANES) {
            maxima = maxima.max(load(x + offset + c * 4L));
        }
        if (full < channels) {
            maxima = maxima.lanewise(VectorOperators.MAX, load(x + offset + full * 4L, tail), tail);
        }
        float max = maxima.reduceLanes(VectorOperators.MAX);
        FloatVector sums = FloatVector.zero(FLOATS);
        for (int c = 0; c < full; c += LANES) {
            FloatVector e = VectorMath.exp(load(x + offset + c * 4L).sub(max));
            e.intoMemorySegment(ALL, y + offset + c * 4L, LE);
            sums = sums.add(e);
        }
        if (full < channels) {
            FloatVector e = VectorMath.exp(load(x + offset + full * 4L, tail).sub(max));
            e.intoMemorySegment(ALL, y + offset + full * 4L, LE, tail);
            sums = sums.add(e, tail);
        }
        float scale = 1 / VectorMath.sum(sums);
        for (int c = 0; c < full; c += LANES) {
            load(y + offset + c * 4L).mul(scale).intoMemorySegment(ALL, y + offset + c * 4L, LE);
        }
        if (full < channels) {
            load(y + offset + full * 4L, tail).mul(scale).intoMemorySegment(ALL, y + offset + full * 4L, LE, tail);
        }
    }

    void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(y);
        long out = chunks.address("softmaxBackward", y);
        long gradient = chunks.address("softmaxBackward", dy);
        long target = chunks.result("softmaxBackward", dx);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                softmaxBackwardRow(out, gradient, target, chunks.byteOffset(0, row), chunks.channels());
            }
        });
    }

    private static void softmaxBackwardRow(long y, long dy, long dx, long offset, int channels) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        FloatVector products = FloatVector.zero(FLOATS);
        for (int c = 0; c < full; c += LANES) {
            products = load(y + offset + c * 4L)
                    .fma(load(dy + offset + c * 4L), products);
        }
        if (full < channels) {
            products = load(y + offset + full * 4L, tail)
                    .fma(load(dy + offset + full * 4L, tail), products);
        }
        float product = VectorMath.sum(products);
        for (int c = 0; c < full; c += LANES) {
            load(dy + offset + c * 4L).sub(product)
                    .mul(load(y + offset + c * 4L)).intoMemorySegment(ALL, dx + offset + c * 4L, LE);
        }
        if (full < channels) {
            load(dy + offset + full * 4L, tail).sub(product)
                    .mul(load(y + offset + full * 4L, tail)).intoMemorySegment(ALL, dx + offset + full * 4L, LE, tail);
        }
    }

    void geglu(Tensor x, Tensor y) {
        RowChunks chunks = RowChunks.ofRows(y);
        long in = CpuMemory.floats("geglu", x, 2 * chunks.elements());
        long out = chunks.result("geglu", y);
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                gegluRow(in, out, row, chunks.channels());
            }
        });
    }

    private static void gegluRow(long x, long y, long row, int channels) {
        long at = row * channels * 4L;
        int full = FLOATS.loopBound(channels);
        for (int c = 0; c < full; c += LANES) {
            long value = 2 * at + c * 4L;
            long gate = value + channels * 4L;
            VectorMath.gelu(load(x + gate))
                    .mul(load(x + value)).intoMemorySegment(ALL, y + at + c * 4L, LE);
        }
        if (full < channels) {
            gegluTail(x, y, at + full * 4L, 2 * at + full * 4L, channels, channels - full);
        }
    }

    private static void gegluTail(long x, long y, long result, long value, int channels, int count) {
        VectorMask<Float> tail = VectorMath.firstLanes(count);
        VectorMath.gelu(load(x + value + channels * 4L, tail))
                .mul(load(x + value, tail)).intoMemorySegment(ALL, y + result, LE, tail);
    }

    void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofRows(dy);
        long in = CpuMemory.floats("gegluBackward", x, 2 * chunks.elements());
        long gradient = chunks.address("gegluBackward", dy);
        long out = CpuMemory.resultFloats("gegluBackward", dx, 2 * chunks.elements());
        chunks.forEach(workers, (_, _, from, to) -> {
            for (long row = from; row < to; row++) {
                gegluBackwardRow(in, gradient, out, row, chunks.channels());
            }
        });
    }

    private static void gegluBackwardRow(long x, long dy, long dx, long row, int channels) {
        long at = row * channels * 4L;
        int full = FLOATS.loopBound(channels);
        for (int c = 0; c < full; c += LANES) {
            long value = 2 * at + c * 4L;
            long gate = value + channels * 4L;
            FloatVector g = load(dy + at + c * 4L);
            FloatVector v = load(x + value);
            FloatVector z = load(x + gate);
            FloatVector gauss = VectorMath.gauss(z);
            FloatVector cdf = VectorMath.normalCdf(z, gauss);
            z.mul(cdf).mul(g).intoMemorySegment(ALL, dx + value, LE);
            VectorMath.geluSlope(z, gauss, cdf).mul(v).mul(g).intoMemorySegment(ALL, dx + gate, LE);
        }
        if (full < channels) {
            gegluBackwardTail(x, dy, dx, at + full * 4L, 2 * at + full * 4L, channels, channels - full);
        }
    }

    /// Apart, because the loop alone is nearly as much as the compiler inlines.
    private static void gegluBackwardTail(long x, long dy, long dx, long gradient, long value, int channels, int count) {
        long gate = value + channels * 4L;
        VectorMask<Float> tail = VectorMath.firstLanes(count);
        FloatVector g = load(dy + gradient, tail);
        FloatVector v = load(x + value, tail);
        FloatVector z = load(x + gate, tail);
        FloatVector gauss = VectorMath.gauss(z);
        FloatVector cdf = VectorMath.normalCdf(z, gauss);
        z.mul(cdf).mul(g).intoMemorySegment(ALL, dx + value, LE, tail);
        VectorMath.geluSlope(z, gauss, cdf).mul(v).mul(g).intoMemorySegment(ALL, dx + gate, LE, tail);
    }
}
