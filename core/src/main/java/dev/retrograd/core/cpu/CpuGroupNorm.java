package dev.retrograd.core.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.cpu.GroupNormRows.Affine;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Group normalisation: statistics in float64 over fixed chunks of rows, then one pass that applies a scale and an offset per channel.
final class CpuGroupNorm {
    private final Workers workers;

    CpuGroupNorm(Workers workers) {
        this.workers = workers;
    }

    void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofImages(x);
        Affine affine = statistics(chunks, groups, eps, x, gamma, beta, mean, rstd);
        long in = chunks.address("groupNorm", x);
        long out = chunks.result("groupNorm", y);
        chunks.forEach(workers, (image, _, from, to) -> {
            long o = chunks.byteOffset(image, from);
            rows(chunks, image).apply(in + o, out + o, to - from, affine);
        });
    }

    void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        RowChunks chunks = RowChunks.ofImages(x);
        Affine affine = statistics(chunks, groups, eps, x, gamma, beta, mean, rstd);
        long in = chunks.address("groupNorm", x);
        long out = chunks.result("groupNorm", y);
        chunks.forEach(workers, (image, _, from, to) -> {
            long o = chunks.byteOffset(image, from);
            rows(chunks, image).applySilu(in + o, out + o, to - from, affine);
        });
    }

    private static GroupNormRows rows(RowChunks chunks, int image) {
        return new GroupNormRows(chunks.channels(), image * chunks.channels());
    }

    private static long parameters(Tensor t, RowChunks chunks) {
        return CpuMemory.floats("groupNorm", t, chunks.channels());
    }

    void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        RowChunks chunks = RowChunks.ofImages(x);
        Slope slope = slope(chunks, x, gamma, beta, mean, rstd, dy, dz);
        chunks.forEach(workers, (image, _, from, to) -> slope.apply(image, from, to));
    }

    /// What the gradient of the inner value takes from the forward pass.
    private record Slope(RowChunks chunks, long x, long dy, long dz, Affine affine) {
        void apply(int image, long from, long to) {
            long o = chunks.byteOffset(image, from);
            CpuGroupNorm.rows(chunks, image).applySiluSlope(x + o, dy + o, dz + o, to - from, affine);
        }
    }

    private static Slope slope(RowChunks chunks, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        long gammas = parameters(gamma, chunks);
        long betas = parameters(beta, chunks);
        int width = channels / groups;
        Affine affine = new Affine(chunks.images() * channels);
        for (int i = 0; i < chunks.images() * groups; i++) {
            long c = i % groups * width * 4L;
            affine.normalise(i * width, width, gammas + c, betas + c, means.getAtIndex(JAVA_FLOAT, i), rstds.getAtIndex(JAVA_FLOAT, i));
        }
        return new Slope(chunks, chunks.address("groupNorm", x), chunks.address("groupNorm", dy), chunks.result("groupNorm", dz), affine);
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
        long in = chunks.address("groupNorm", x);
        if (chunks.rows() == 0) {
            throw new ShapeException("groupNorm: a row or more in every image is required, got " + x);
        }
        double[] pivot = new double[chunks.images() * channels];
        for (int first = 0; first < pivot.length; first += width) {
            Arrays.fill(pivot, first, first + width, Native.ALL.get(JAVA_FLOAT, in + chunks.byteOffset(first / channels, 0) + first % channels * 4L));
        }
        chunks.forEach(workers, (image, chunk, from, to) -> {
            double[] sums = new double[2 * channels];
            ChannelSums.moments(in + chunks.byteOffset(image, from), to - from, channels, pivot, image * channels, sums);
            addGroups(sums, groups, width, partial, (image * perImage + chunk) * groups * 2);
        });
        Affine affine = new Affine(chunks.images() * channels);
        MemorySegment means = CpuMemory.data(mean);
        MemorySegment rstds = CpuMemory.data(rstd);
        long gammas = parameters(gamma, chunks);
        long betas = parameters(beta, chunks);
        double n = (double) chunks.rows() * width;
        for (int i = 0; i < chunks.images() * groups; i++) {
            int image = i / groups;
            int g = i % groups;
            double fromPivot = total(partial, image, perImage, groups, g, 0) / n;
            double variance = Math.max(0, total(partial, image, perImage, groups, g, 1) / n - fromPivot * fromPivot);
            double m = pivot[i * width] + fromPivot;
            double r = 1 / Math.sqrt(variance + eps);
            means.setAtIndex(JAVA_FLOAT, i, (float) m);
            rstds.setAtIndex(JAVA_FLOAT, i, (float) r);
            affine.normalise(i * width, width, gammas + g * width * 4L, betas + g * width * 4L, m, r);
        }
        return affine;
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
        long in = chunks.address("groupNorm", x);
        long gradient = chunks.address("groupNorm", dy);
        MemorySegment rstds = CpuMemory.data(rstd);
        double[] centre = centres(chunks, mean);
        double[] weights = new double[channels];
        long gammas = parameters(gamma, chunks);
        for (int c = 0; c < channels; c++) {
            weights[c] = Native.ALL.get(JAVA_FLOAT, gammas + c * 4L);
        }
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
        for (int i = 0; i < chunks.images() * groups; i++) {
            int image = i / groups;
            int g = i % groups;
            double r = rstds.getAtIndex(JAVA_FLOAT, i);
            affine.set(i * width, width, (float) centre[i * width], r, weights, g * width, (float) (-r * total(partial, image, perImage, groups, g, 0) / n));
            Arrays.fill(slope, i * width, (i + 1) * width, (float) (-r * r * r * total(partial, image, perImage, groups, g, 1) / n));
        }
        long out = chunks.result("groupNorm", dx);
        chunks.forEach(workers, (image, _, from, to) -> {
            long o = chunks.byteOffset(image, from);
            rows(chunks, image).applyBackward(in + o, gradient + o, out + o, to - from, affine, slope);
        });
    }

    /// `dgamma = Σ dy·(x − mean)·rstd`, `dbeta = Σ dy` over images and rows.
    void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        RowChunks chunks = RowChunks.ofImages(x);
        int channels = chunks.channels();
        int groups = mean.shape().channels();
        int perImage = chunks.chunksPerImage();
        long in = chunks.address("groupNorm", x);
        long gradient = chunks.address("groupNorm", dy);
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

    private static double[] channelGradients(RowChunks chunks, int image, long from, long to, long x, long dy, double[] centre) {
        int channels = chunks.channels();
        double[] sums = new double[2 * channels];
        long o = chunks.byteOffset(image, from);
        ChannelSums.gradients(x + o, dy + o, to - from, channels, centre, image * channels, sums);
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
