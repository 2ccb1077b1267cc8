package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.ACTIVATIONS;
import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.sameType;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `norm.cu`, `layernorm.cu` and `geglu.cu`: what {@link dev.retrograd.core.NormKernels} asks for, on activations of any type.
final class NormKernels implements AutoCloseable {
    private static final String GROUPS = "norm";
    private static final String ROWS = "layernorm";
    private static final DType[] F32 = {DType.F32};
    /// Rows of a layer norm's block.
    private static final int WARPS = 8;
    private static final int COLUMNS = 32;
    /// Elements of a group that one block takes on alone, and what it takes of a larger one.
    private static final long ALONE = 1 << 16;
    private static final long CHUNK = 1 << 14;
    private static final int MOST_CHUNKS = 64;
    /// Pairs of sums that the workspace holds.
    private static final int MOST_PARTS = 1 << 14;
    private static final int ALL = 0;
    private static final int SUMS = 1;
    private static final int RESULTS = 2;

    private final Launcher launcher;
    private final CudaDriver driver;
    private final long partial;

    NormKernels(Launcher launcher, CudaDriver driver) {
        this.launcher = launcher;
        this.driver = driver;
        partial = driver.allocate(workspaceBytes());
    }

    /// Bytes of the sums over chunks.
    static long workspaceBytes() {
        return MOST_PARTS * 2L * Double.BYTES;
    }

    /// What one statistic covers: rows of an image, and its channels in groups.
    private record Groups(int images, long rows, int channels, int groups) {
        /// Of an image tensor `[B,...,C]`.
        static Groups ofImages(String kernel, Tensor x, long groups) {
            Shape s = x.shape();
            if (s.rank() < 2 || groups < 1 || s.channels() % groups != 0) {
                throw new ShapeException(kernel + ": groups must divide the channels of [B,...,C], got " + groups + " groups of " + x);
            }
            return new Groups(s.dim(0), s.span(1, s.rank() - 1), s.channels(), (int) groups);
        }

        /// Of rows `[...,C]`, each on its own.
        static Groups ofRows(Tensor x) {
            return new Groups(Math.toIntExact(x.shape().rows()), 1, x.shape().channels(), 1);
        }

        int width() {
            return channels / groups;
        }

        long count() {
            return (long) images * groups;
        }

        /// Rows of a block: all where one block takes a group alone.
        long chunk() {
            long size = rows * width();
            long chunks = size <= ALONE ? 1 : Math.min(Math.min(MOST_CHUNKS, Math.ceilDiv(size, CHUNK)), Math.max(1, MOST_PARTS / count()));
            return Math.ceilDiv(rows, chunks);
        }

        /// The struct that kernels take.
        long[] struct(int phase) {
            return new long[] {rows, channels, groups, width(), chunk(), phase};
        }

        /// @throws ShapeException unless there is a mean and a rstd for each
        void require(String what, Tensor x, Tensor mean, Tensor rstd) {
            if (mean.elements() != count() || rstd.elements() != count()) {
                throw new ShapeException(what + ": " + count() + " means and rstds are required for " + x + ", got " + mean + " and " + rstd);
            }
        }
    }

    void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        forward("groupNorm", "group_norm_fwd_", groups, eps, x, gamma, beta, y, mean, rstd);
    }

    void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        forward("groupNormSilu", "group_norm_silu_fwd_", groups, eps, x, gamma, beta, y, mean, rstd);
    }

    private void forward(String what, String kernel, int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        Groups g = Groups.ofImages(what, x, groups);
        types(what, g, x, y, mean, rstd, gamma, beta);
        for (int phase : phases(g)) {
            launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(y)).i64(address(mean)).i64(address(rstd))
                    .i64s(g.struct(phase)).i64(partial).f64(eps);
            perPart(kernel + together(g.width(), x, y), g, x);
        }
    }

    private static int[] phases(Groups g) {
        return g.chunk() == g.rows ? new int[] {ALL} : new int[] {SUMS, RESULTS};
    }

    private void perPart(String kernel, Groups g, Tensor x) {
        if (x.elements() > 0) {
            launcher.launch(GROUPS, kernel + "_" + suffix(x.dtype()), LaunchGrid.of((int) Math.ceilDiv(g.rows, g.chunk()), g.groups, g.images, Launcher.THREADS));
        }
    }

    /// How many of `count` neighbouring elements are read at once.
    private static int together(int count, Tensor... tensors) {
        int most = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
        for (Tensor t : tensors) {
            while (address(t) % (most * t.dtype().bytes()) != 0) {
                most /= 2;
            }
        }
        return most;
    }

    /// Four at once or one.
    private static int fourOrOne(int count, Tensor... tensors) {
        return together(count, tensors) == 4 ? 4 : 1;
    }

    private static void types(String what, Groups g, Tensor x, Tensor y, Tensor mean, Tensor rstd, Tensor... parameters) {
        sameType(what, ACTIVATIONS, x, y);
        Launcher.sameElements(what, x, y);
        sameType(what, F32, mean, rstd);
        sameType(what, F32, parameters);
        g.require(what, x, mean, rstd);
    }

    void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        Groups g = Groups.ofRows(x);
        types("layerNorm", g, x, y, mean, rstd, gamma, beta);
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(y)).i64(address(mean)).i64(address(rstd))
                .i64(g.images).i32(g.channels).f64(eps);
        perRow("layer_norm_fwd_" + fourOrOne(g.channels, x, y), g, x);
    }

    private void perRow(String kernel, Groups g, Tensor x) {
        if (x.elements() > 0) {
            launcher.launch(ROWS, kernel + "_" + suffix(x.dtype()), LaunchGrid.of(Math.ceilDiv(g.images, WARPS), Launcher.THREADS));
        }
    }

    void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward("groupNormBackward", "group_norm_bwd_", x, gamma, gamma, mean, rstd, dy, dx);
    }

    void groupNormSiluBackwardInput(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward("groupNormSiluBackwardInput", "group_norm_silu_bwd_", x, gamma, beta, mean, rstd, dy, dx);
    }

    private void backward(String what, String kernel, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        Groups g = Groups.ofImages(what, x, mean.elements() / x.dim(0));
        types(what, g, x, dx, mean, rstd, gamma, beta);
        sameType(what, new DType[] {x.dtype()}, dy);
        Launcher.sameElements(what, x, dy);
        for (int phase : phases(g)) {
            launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dx))
                    .i64s(g.struct(phase)).i64(partial);
            perPart(kernel + together(g.width(), x, dy, dx), g, x);
        }
    }

    void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        Groups g = Groups.ofRows(x);
        types("layerNormBackward", g, x, dx, mean, rstd, gamma);
        sameType("layerNormBackward", new DType[] {x.dtype()}, dy);
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dx))
                .i64(g.images).i32(g.channels);
        perRow("layer_norm_bwd_" + fourOrOne(g.channels, x, dy, dx), g, x);
    }

    void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        Groups g = Groups.ofImages("groupNormSiluBackward", x, mean.elements() / x.dim(0));
        types("groupNormSiluBackward", g, x, dz, mean, rstd, gamma, beta);
        sameType("groupNormSiluBackward", new DType[] {x.dtype()}, dy);
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dz))
                .i64(x.elements()).i64s(g.struct(ALL));
        launcher.overElements(GROUPS, "group_norm_silu_gradient_" + suffix(x.dtype()), x.elements());
    }

    void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        parameters("groupNormBackwardParameters", Groups.ofImages("groupNormBackwardParameters", x, mean.elements() / x.dim(0)), x, mean, rstd, dy, dgamma, dbeta);
    }

    void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        parameters("layerNormBackwardParameters", Groups.ofRows(x), x, mean, rstd, dy, dgamma, dbeta);
    }

    private void parameters(String what, Groups g, Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        types(what, g, x, dy, mean, rstd, dgamma, dbeta);
        launcher.arguments().i64(address(x)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dgamma)).i64(address(dbeta))
                .i64(g.images).i64s(g.struct(ALL));
        launcher.launch(GROUPS, "norm_bwd_parameters_" + suffix(x.dtype()), new LaunchGrid(Math.ceilDiv(g.channels, COLUMNS), 1, 1, COLUMNS, COLUMNS, 1));
    }

    void softmax(Tensor x, Tensor y) {
        sameType("softmax", ACTIVATIONS, x, y);
        Launcher.sameElements("softmax", x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).i64(x.shape().channels());
        softmaxRows("softmax_fwd_", x);
    }

    void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        sameType("softmaxBackward", ACTIVATIONS, y, dy, dx);
        Launcher.sameElements("softmaxBackward", y, dx);
        launcher.arguments().i64(address(y)).i64(address(dy)).i64(address(dx)).i64(y.shape().channels());
        softmaxRows("softmax_bwd_", y);
    }

    private void softmaxRows(String kernel, Tensor x) {
        if (x.elements() > 0) {
            launcher.launch(ROWS, kernel + suffix(x.dtype()), LaunchGrid.of(Math.toIntExact(x.shape().rows()), Launcher.THREADS));
        }
    }

    void geglu(Tensor x, Tensor y) {
        sameType("geglu", ACTIVATIONS, x, y);
        requireHalf("geglu", x, y);
        launcher.arguments().i64(address(x)).i64(address(y));
        gated("geglu_fwd_", y, x);
    }

    void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        sameType("gegluBackward", ACTIVATIONS, x, dy, dx);
        Launcher.sameElements("gegluBackward", x, dx);
        requireHalf("gegluBackward", x, dy);
        launcher.arguments().i64(address(x)).i64(address(dy)).i64(address(dx));
        gated("geglu_bwd_", dy, x, dx);
    }

    /// Over the elements of the half tensor, of which every row has `units` units.
    private void gated(String kernel, Tensor half, Tensor... whole) {
        int channels = half.shape().channels();
        int unit = Math.min(fourOrOne(channels, half), fourOrOne(channels, whole));
        launcher.added().i64(half.elements() / unit).i64(channels / unit);
        launcher.overElements("geglu", kernel + unit + "_" + suffix(half.dtype()), half.elements() / unit);
    }

    private static void requireHalf(String kernel, Tensor x, Tensor y) {
        if (x.shape().channels() != 2 * y.shape().channels() || x.elements() != 2 * y.elements()) {
            throw new ShapeException(kernel + ": [..., 2C] and [..., C] are required, got " + x + " and " + y);
        }
    }

    @Override public void close() {
        driver.free(partial);
    }
}
