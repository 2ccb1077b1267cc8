package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.VectorMath.FLOATS;
import static dev.retrograd.core.cpu.VectorMath.LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Group normalisation: statistics in float64 over fixed chunks of rows, then one pass that applies a scale and an offset per channel.
final class CpuGroupNorm {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final Workers workers;

    CpuGroupNorm(Workers workers) {
        this.workers = workers;
    }

    /// Per image and channel: `y = (x − centre)·scale + offset`. The centre is the mean as a float, so that the subtraction of nearby
    /// floats is exact; the offset carries what the centre's rounding left.
    private record Affine(float[] centre, float[] scale, float[] offset) {
        Affine(int size) {
            this(new float[size], new float[size], new float[size]);
        }
    }

    void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofImages(x);
        Affine affine = statistics(chunks, groups, eps, x, gamma, beta, mean, rstd);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        chunks.forEach(workers, (image, _, from, to) ->
                apply(in, out, chunks.byteOffset(image, from), to - from, chunks.channels(), affine, image * chunks.channels()));
    }

    void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofImages(x);
        Affine affine = statistics(chunks, groups, eps, x, gamma, beta, mean, rstd);
        MemorySegment in = CpuMemory.data(x);
        MemorySegment out = CpuMemory.data(y);
        chunks.forEach(workers, (image, _, from, to) ->
                applySilu(in, out, chunks.byteOffset(image, from), to - from, chunks.channels(), affine, image * chunks.channels()));
    }

    void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        RowChunks chunks = RowChunks.ofImages(x);
        Slope slope = slope(chunks, x, gamma, beta, mean, rstd, dy, dz);
        chunks.forEach(workers, (image, _, from, to) -> slope.apply(image, from, to));
    }

    /// What the gradient of the inner value takes from the forward pass.
    private record Slope(RowChunks chunks, MemorySegment x, MemorySegment dy, MemorySegment dz, Affine affine) {
        void apply(int image, long from, long to) {
            applySiluSlope(x, dy, dz, chunks.byteOffset(image, from), to - from, chunks.channels(), affine, image * chunks.channels());
        }
    }

    private static Slope slope(RowChunks chunks, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        Affine affine = new Affine(chunks.images() * channels);
        for (int image = 0; image < chunks.images(); image++) {
            for (int g = 0; g < groups; g++) {
                long i = (long) image * groups + g;
                fill(affine, image, g, channels / groups, channels, gamma, beta, means.getAtIndex(JAVA_FLOAT, i), rstds.getAtIndex(JAVA_FLOAT, i));
            }
        }
        return new Slope(chunks, CpuMemory.data(x), CpuMemory.data(dy), CpuMemory.data(dz), affine);
    }

    /// The slope and the sums over it chunk by chunk, so that the sums find both in a cache; the same bits as one after the other.
    void groupNormSiluBackwardInput(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        RowChunks chunks = RowChunks.ofImages(x);
        Slope slope = slope(chunks, x, gamma, beta, mean, rstd, dy, dx);
        backward(chunks, x, gamma, mean, rstd, dx, dx, slope::apply);
    }

    private Affine statistics(RowChunks chunks, int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd) {
        int channels = chunks.channels();
        int width = channels / groups;
        int perImage = chunks.chunksPerImage();
        double[] partial = new double[chunks.images() * perImage * groups * 2];
        MemorySegment in = CpuMemory.data(x);
        double[] pivot = new double[chunks.images() * channels];
        for (int first = 0; first < pivot.length; first += width) {
            Arrays.fill(pivot, first, first + width, in.get(JAVA_FLOAT, chunks.byteOffset(first / channels, 0) + first % channels * 4L));
        }
        chunks.forEach(workers, (image, chunk, from, to) -> {
            double[] sums = new double[2 * channels];
            ChannelSums.moments(in, chunks.byteOffset(image, from), to - from, channels, pivot, image * channels, sums);
            addGroups(sums, groups, width, partial, (image * perImage + chunk) * groups * 2);
        });
        Affine affine = new Affine(chunks.images() * channels);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        double n = (double) chunks.rows() * width;
        for (int image = 0; image < chunks.images(); image++) {
            for (int g = 0; g < groups; g++) {
                double fromPivot = total(partial, image, perImage, groups, g, 0) / n;
                double variance = Math.max(0, total(partial, image, perImage, groups, g, 1) / n - fromPivot * fromPivot);
                double m = pivot[image * channels + g * width] + fromPivot;
                double r = 1 / Math.sqrt(variance + eps);
                means.setAtIndex(JAVA_FLOAT, (long) image * groups + g, (float) m);
                rstds.setAtIndex(JAVA_FLOAT, (long) image * groups + g, (float) r);
                fill(affine, image, g, width, channels, gamma, beta, m, r);
            }
        }
        return affine;
    }

    private static void fill(Affine affine, int image, int group, int width, int channels, Tensor gamma, Tensor beta, double mean, double rstd) {
        MemorySegment gammas = CpuMemory.data(gamma);
        MemorySegment betas = CpuMemory.data(beta);
        float centre = (float) mean;
        for (int c = group * width; c < (group + 1) * width; c++) {
            double scale = gammas.getAtIndex(JAVA_FLOAT, c) * rstd;
            int i = image * channels + c;
            affine.centre[i] = centre;
            affine.scale[i] = (float) scale;
            affine.offset[i] = (float) (betas.getAtIndex(JAVA_FLOAT, c) + (centre - mean) * scale);
        }
    }

    /// Adds two sums per channel up to two sums per group.
    private static void addGroups(double[] sums, int groups, int width, double[] partial, int at) {
        int channels = groups * width;
        for (int g = 0; g < groups; g++) {
            partial[at + 2 * g] = sum(sums, g * width, width);
            partial[at + 2 * g + 1] = sum(sums, channels + g * width, width);
        }
    }

    /// In four chains, as one would wait for each addition.
    private static double sum(double[] values, int from, int count) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = from;
        for (int end = from + count - 3; i < end; i += 4) {
            a += values[i];
            b += values[i + 1];
            c += values[i + 2];
            d += values[i + 3];
        }
        for (; i < from + count; i++) {
            a += values[i];
        }
        return a + b + (c + d);
    }

    private static double total(double[] partial, int image, int chunksPerImage, int groups, int group, int which) {
        double sum = 0;
        for (int chunk = 0; chunk < chunksPerImage; chunk++) {
            sum += partial[((image * chunksPerImage + chunk) * groups + group) * 2 + which];
        }
        return sum;
    }

    private static void apply(MemorySegment x, MemorySegment y, long offset, long rows, int channels, Affine affine, int at) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        long o = offset;
        for (long r = 0; r < rows; r++, o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + c * 4L, ORDER);
                normalised(v, affine, at + c).intoMemorySegment(y, o + c * 4L, ORDER);
            }
            if (full < channels) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + full * 4L, ORDER, tail);
                normalised(v, affine, at + full, tail).intoMemorySegment(y, o + full * 4L, ORDER, tail);
            }
        }
    }

    private static void applySilu(MemorySegment x, MemorySegment y, long offset, long rows, int channels, Affine affine, int at) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        long o = offset;
        for (long r = 0; r < rows; r++, o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + c * 4L, ORDER);
                VectorMath.silu(normalised(v, affine, at + c)).intoMemorySegment(y, o + c * 4L, ORDER);
            }
            if (full < channels) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + full * 4L, ORDER, tail);
                VectorMath.silu(normalised(v, affine, at + full, tail)).intoMemorySegment(y, o + full * 4L, ORDER, tail);
            }
        }
    }

    private static void applySiluSlope(MemorySegment x, MemorySegment dy, MemorySegment dz, long offset, long rows, int channels,
            Affine affine, int at) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        long o = offset;
        for (long r = 0; r < rows; r++, o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + c * 4L, ORDER);
                FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, o + c * 4L, ORDER);
                VectorMath.siluSlope(normalised(v, affine, at + c)).mul(g).intoMemorySegment(dz, o + c * 4L, ORDER);
            }
            if (full < channels) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + full * 4L, ORDER, tail);
                FloatVector g = FloatVector.fromMemorySegment(FLOATS, dy, o + full * 4L, ORDER, tail);
                VectorMath.siluSlope(normalised(v, affine, at + full, tail)).mul(g).intoMemorySegment(dz, o + full * 4L, ORDER, tail);
            }
        }
    }

    private static FloatVector normalised(FloatVector x, Affine affine, int i) {
        return x.sub(FloatVector.fromArray(FLOATS, affine.centre, i))
                .fma(FloatVector.fromArray(FLOATS, affine.scale, i), FloatVector.fromArray(FLOATS, affine.offset, i));
    }

    private static FloatVector normalised(FloatVector x, Affine affine, int i, VectorMask<Float> lanes) {
        return x.sub(FloatVector.fromArray(FLOATS, affine.centre, i, lanes))
                .fma(FloatVector.fromArray(FLOATS, affine.scale, i, lanes), FloatVector.fromArray(FLOATS, affine.offset, i, lanes));
    }

    /// `dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n)` with `g = gamma·dy`, `x̂ = (x − mean)·rstd` and sums over the group.
    void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward(RowChunks.ofImages(x), x, gamma, mean, rstd, dy, dx, (_, _, _) -> { });
    }

    /// Makes some rows of dy.
    private interface Before {
        void rows(int image, long from, long to);
    }

    /// @param before is called for each chunk of dy before it is read
    private void backward(RowChunks chunks, Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx, Before before) {
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        int width = channels / groups;
        int perImage = chunks.chunksPerImage();
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gradient = CpuMemory.data(dy);
        MemorySegment gammas = CpuMemory.data(gamma);
        MemorySegment rstds = CpuMemory.data(rstd);
        double[] centre = centres(chunks, mean);
        double[] weights = new double[channels];
        Arrays.setAll(weights, c -> gammas.getAtIndex(JAVA_FLOAT, c));
        double[] partial = new double[chunks.images() * perImage * groups * 2];
        chunks.forEach(workers, (image, chunk, from, to) -> {
            before.rows(image, from, to);
            double[] sums = channelGradients(chunks, image, from, to, in, gradient, centre);
            for (int c = 0; c < channels; c++) {
                sums[c] *= weights[c];
                sums[channels + c] *= weights[c];
            }
            addGroups(sums, groups, width, partial, (image * perImage + chunk) * groups * 2);
        });
        // dx = dy·scale + (x − centre)·slope + offset
        int size = chunks.images() * channels;
        float[] slope = new float[size];
        Affine affine = new Affine(size);
        double n = (double) chunks.rows() * width;
        for (int first = 0; first < size; first += width) {
            int image = first / channels;
            int g = first % channels / width;
            double r = rstds.getAtIndex(JAVA_FLOAT, (long) image * groups + g);
            Arrays.fill(affine.offset, first, first + width, (float) (-r * total(partial, image, perImage, groups, g, 0) / n));
            Arrays.fill(slope, first, first + width, (float) (-r * r * r * total(partial, image, perImage, groups, g, 1) / n));
            for (int i = first; i < first + width; i++) {
                affine.centre[i] = (float) centre[i];
                affine.scale[i] = (float) (r * weights[i - image * channels]);
            }
        }
        MemorySegment out = CpuMemory.data(dx);
        chunks.forEach(workers, (image, _, from, to) ->
                applyBackward(in, gradient, out, chunks.byteOffset(image, from), to - from, channels, affine, slope, image * channels));
    }

    private static void applyBackward(MemorySegment x, MemorySegment dy, MemorySegment dx, long offset, long rows, int channels,
            Affine affine, float[] slope, int at) {
        int full = FLOATS.loopBound(channels);
        VectorMask<Float> tail = VectorMath.firstLanes(channels - full);
        long o = offset;
        for (long r = 0; r < rows; r++, o += channels * 4L) {
            for (int c = 0; c < full; c += LANES) {
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + c * 4L, ORDER)
                        .sub(FloatVector.fromArray(FLOATS, affine.centre, at + c))
                        .fma(FloatVector.fromArray(FLOATS, slope, at + c), FloatVector.fromArray(FLOATS, affine.offset, at + c));
                FloatVector.fromMemorySegment(FLOATS, dy, o + c * 4L, ORDER)
                        .fma(FloatVector.fromArray(FLOATS, affine.scale, at + c), v).intoMemorySegment(dx, o + c * 4L, ORDER);
            }
            if (full < channels) {
                int i = at + full;
                FloatVector v = FloatVector.fromMemorySegment(FLOATS, x, o + full * 4L, ORDER, tail)
                        .sub(FloatVector.fromArray(FLOATS, affine.centre, i, tail))
                        .fma(FloatVector.fromArray(FLOATS, slope, i, tail), FloatVector.fromArray(FLOATS, affine.offset, i, tail));
                FloatVector.fromMemorySegment(FLOATS, dy, o + full * 4L, ORDER, tail)
                        .fma(FloatVector.fromArray(FLOATS, affine.scale, i, tail), v).intoMemorySegment(dx, o + full * 4L, ORDER, tail);
            }
        }
    }

    /// `dgamma = Σ dy·(x − mean)·rstd`, `dbeta = Σ dy` over images and rows.
    void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        RowChunks chunks = RowChunks.ofImages(x);
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        int perImage = chunks.chunksPerImage();
        MemorySegment in = CpuMemory.data(x);
        MemorySegment gradient = CpuMemory.data(dy);
        double[] centre = centres(chunks, mean);
        double[][] partial = new double[chunks.images() * perImage][];
        chunks.forEach(workers, (image, chunk, from, to) ->
                partial[image * perImage + chunk] = channelGradients(chunks, image, from, to, in, gradient, centre));
        MemorySegment rstds = CpuMemory.data(rstd);
        MemorySegment dgammas = CpuMemory.data(dgamma);
        MemorySegment dbetas = CpuMemory.data(dbeta);
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            double products = 0;
            for (int i = 0; i < partial.length; i++) {
                sum += partial[i][c];
                long group = (long) (i / perImage) * groups + c / (channels / groups);
                products += partial[i][channels + c] * rstds.getAtIndex(JAVA_FLOAT, group);
            }
            dgammas.setAtIndex(JAVA_FLOAT, c, (float) products);
            dbetas.setAtIndex(JAVA_FLOAT, c, (float) sum);
        }
    }

    private static double[] channelGradients(RowChunks chunks, int image, long from, long to, MemorySegment x, MemorySegment dy, double[] centre) {
        int channels = chunks.channels();
        double[] sums = new double[2 * channels];
        ChannelSums.gradients(x, dy, chunks.byteOffset(image, from), to - from, channels, centre, image * channels, sums);
        return sums;
    }

    /// The group's mean for every image and channel.
    private static double[] centres(RowChunks chunks, Tensor mean) {
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        MemorySegment means = CpuMemory.data(mean);
        double[] centre = new double[chunks.images() * channels];
        int width = channels / groups;
        for (int i = 0; i < chunks.images() * groups; i++) {
            Arrays.fill(centre, i * width, (i + 1) * width, means.getAtIndex(JAVA_FLOAT, i));
        }
        return centre;
    }
}
