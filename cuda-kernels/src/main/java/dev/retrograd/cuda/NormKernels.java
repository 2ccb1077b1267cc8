package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `norm.cu`: what {@link dev.retrograd.core.NormKernels} asks for, in float32.
final class NormKernels {
    private static final String MODULE = "norm";
    private static final DType[] F32 = {DType.F32};

    private final Launcher launcher;

    NormKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    /// What one statistic covers: rows of an image, and its channels in groups.
    private record Groups(long images, long rows, long channels, long groups) {
        /// Of an image tensor `[B,...,C]`.
        static Groups ofImages(String kernel, Tensor x, long groups) {
            Shape s = x.shape();
            if (s.rank() < 2 || groups < 1 || s.channels() % groups != 0) {
                throw new ShapeException(kernel + ": groups must divide the channels of [B,...,C], got " + groups + " groups of " + x);
            }
            return new Groups(s.dim(0), s.span(1, s.rank() - 1), s.channels(), groups);
        }

        /// Of rows `[...,C]`, each on its own.
        static Groups ofRows(Tensor x) {
            return new Groups(x.shape().rows(), 1, x.shape().channels(), 1);
        }

        int count() {
            return Math.toIntExact(images * groups);
        }
    }

    void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        forward("groupNorm", "norm_fwd_f32", Groups.ofImages("groupNorm", x, groups), eps, x, gamma, beta, y, mean, rstd);
    }

    void groupNormSilu(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        forward("groupNormSilu", "norm_silu_fwd_f32", Groups.ofImages("groupNormSilu", x, groups), eps, x, gamma, beta, y, mean, rstd);
    }

    void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        forward("layerNorm", "norm_fwd_f32", Groups.ofRows(x), eps, x, gamma, beta, y, mean, rstd);
    }

    private void forward(String what, String kernel, Groups g, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        Launcher.sameType(what, F32, x, gamma, beta, y, mean, rstd);
        requireStatistics(what, g, x, mean, rstd);
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(y)).i64(address(mean)).i64(address(rstd))
                .i64(g.rows).i64(g.channels).i64(g.groups).f64(eps);
        perGroup(kernel, g, x);
    }

    private void perGroup(String kernel, Groups g, Tensor x) {
        if (x.elements() > 0) {
            launcher.launch(MODULE, kernel, LaunchGrid.of(g.count(), Launcher.THREADS));
        }
    }

    private static void requireStatistics(String what, Groups g, Tensor x, Tensor mean, Tensor rstd) {
        if (mean.elements() != g.count() || rstd.elements() != g.count()) {
            throw new ShapeException(what + ": " + g.count() + " means and rstds are required for " + x + ", got " + mean + " and " + rstd);
        }
    }

    void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward("groupNormBackward", Groups.ofImages("groupNormBackward", x, mean.elements() / x.dim(0)), x, gamma, mean, rstd, dy, dx);
    }

    void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward("layerNormBackward", Groups.ofRows(x), x, gamma, mean, rstd, dy, dx);
    }

    private void backward(String what, Groups g, Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        Launcher.sameType(what, F32, x, gamma, mean, rstd, dy, dx);
        requireStatistics(what, g, x, mean, rstd);
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dx))
                .i64(g.rows).i64(g.channels).i64(g.groups);
        perGroup("norm_bwd_f32", g, x);
    }

    void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        Launcher.sameType("groupNormSiluBackward", F32, x, gamma, beta, mean, rstd, dy, dz);
        Groups g = Groups.ofImages("groupNormSiluBackward", x, mean.elements() / x.dim(0));
        launcher.arguments().i64(address(x)).i64(address(gamma)).i64(address(beta)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dz))
                .i64(x.elements()).i64(g.rows).i64(g.channels).i64(g.groups);
        launcher.overElements(MODULE, "norm_silu_bwd_f32", x.elements());
    }

    void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        parameters("groupNormBackwardParameters", Groups.ofImages("groupNormBackwardParameters", x, mean.elements() / x.dim(0)), x, mean, rstd, dy, dgamma, dbeta);
    }

    void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        parameters("layerNormBackwardParameters", Groups.ofRows(x), x, mean, rstd, dy, dgamma, dbeta);
    }

    private void parameters(String what, Groups g, Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        Launcher.sameType(what, F32, x, mean, rstd, dy, dgamma, dbeta);
        requireStatistics(what, g, x, mean, rstd);
        launcher.arguments().i64(address(x)).i64(address(mean)).i64(address(rstd)).i64(address(dy)).i64(address(dgamma)).i64(address(dbeta))
                .i64(g.images).i64(g.rows).i64(g.channels).i64(g.groups);
        launcher.launch(MODULE, "norm_bwd_parameters_f32", LaunchGrid.of(Math.toIntExact(g.channels), Launcher.THREADS));
    }

    void softmax(Tensor x, Tensor y) {
        Launcher.sameType("softmax", F32, x, y);
        Launcher.sameElements("softmax", x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).i64(x.shape().channels());
        perGroup("softmax_fwd_f32", Groups.ofRows(x), x);
    }

    void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        Launcher.sameType("softmaxBackward", F32, y, dy, dx);
        Launcher.sameElements("softmaxBackward", y, dx);
        launcher.arguments().i64(address(y)).i64(address(dy)).i64(address(dx)).i64(y.shape().channels());
        perGroup("softmax_bwd_f32", Groups.ofRows(y), y);
    }

    void geglu(Tensor x, Tensor y) {
        Launcher.sameType("geglu", F32, x, y);
        requireHalf("geglu", x, y);
        launcher.arguments().i64(address(x)).i64(address(y)).i64(y.elements()).i64(y.shape().channels());
        launcher.overElements(MODULE, "geglu_fwd_f32", y.elements());
    }

    void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        Launcher.sameType("gegluBackward", F32, x, dy, dx);
        Launcher.sameElements("gegluBackward", x, dx);
        requireHalf("gegluBackward", x, dy);
        launcher.arguments().i64(address(x)).i64(address(dy)).i64(address(dx)).i64(dy.elements()).i64(dy.shape().channels());
        launcher.overElements(MODULE, "geglu_bwd_f32", dy.elements());
    }

    private static void requireHalf(String kernel, Tensor x, Tensor y) {
        if (x.shape().channels() != 2 * y.shape().channels() || x.elements() != 2 * y.elements()) {
            throw new ShapeException(kernel + ": [..., 2C] and [..., C] are required, got " + x + " and " + y);
        }
    }
}
