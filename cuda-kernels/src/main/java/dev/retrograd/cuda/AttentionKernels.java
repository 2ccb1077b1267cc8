package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `attention.cu`: what {@link dev.retrograd.core.AttentionKernels} asks for, in float32, for heads of up to 512 channels.
final class AttentionKernels {
    private static final String MODULE = "attention";
    private static final DType[] F32 = {DType.F32};
    private static final int WARPS = 4;
    private static final int LANES = 32;
    /// Channels per lane that kernels are compiled for.
    private static final int[] WIDTHS = {2, 5, 16};

    private final Launcher launcher;

    AttentionKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void attention(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp) {
        Launcher.sameType("attention", F32, q, k, v, y, logSumExp);
        require("attention", spec, q, k, logSumExp);
        launcher.arguments().i64(address(q)).i64(address(k)).i64(address(v)).i64(address(y)).i64(address(logSumExp));
        launch("attention_fwd_" + width(q, spec) + "_f32", spec, q, k, q.dim(1), true);
    }

    void attentionBackward(AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor y, Tensor logSumExp, Tensor dy, Tensor delta, Tensor dq, Tensor dk, Tensor dv) {
        Launcher.sameType("attentionBackward", F32, q, k, v, y, logSumExp, dy, delta, dq, dk, dv);
        require("attentionBackward", spec, q, k, logSumExp);
        require("attentionBackward", spec, q, k, delta);
        launcher.arguments().i64(address(y)).i64(address(dy)).i64(address(delta));
        launch("attention_delta_f32", spec, q, k, q.dim(1), false);
        operands(q, k, v, logSumExp, delta, dy).i64(address(dq));
        launch("attention_bwd_q_" + width(q, spec) + "_f32", spec, q, k, q.dim(1), true);
        operands(q, k, v, logSumExp, delta, dy).i64(address(dk)).i64(address(dv));
        launch("attention_bwd_kv_" + width(q, spec) + "_f32", spec, q, k, k.dim(1), true);
    }

    private LaunchArguments operands(Tensor... tensors) {
        LaunchArguments arguments = launcher.arguments();
        for (Tensor t : tensors) {
            arguments.i64(address(t));
        }
        return arguments;
    }

    /// Adds what all kernels take last, and launches a warp for each row of the result.
    private void launch(String kernel, AttentionSpec spec, Tensor q, Tensor k, int rows, boolean scaled) {
        LaunchArguments arguments = launcher.added().i64s(q.dim(1), k.dim(1), spec.heads(), q.dim(2) / spec.heads(), spec.causal() ? 1 : 0);
        if (scaled) {
            arguments.f32((float) spec.scale());
        }
        if (rows > 0 && q.dim(0) > 0) {
            launcher.launch(MODULE, kernel, LaunchGrid.of(Math.ceilDiv(rows, WARPS), spec.heads(), q.dim(0), WARPS * LANES));
        }
    }

    /// The narrowest kernel for this head.
    private static int width(Tensor q, AttentionSpec spec) {
        int d = q.dim(2) / spec.heads();
        for (int width : WIDTHS) {
            if (d <= width * LANES) {
                return width;
            }
        }
        throw new ShapeException("attention: a head must have at most 512 channels, got " + d + " of " + q);
    }

    private static void require(String kernel, AttentionSpec spec, Tensor q, Tensor k, Tensor statistic) {
        boolean fits = q.shape().rank() == 3 && k.shape().rank() == 3 && q.dim(0) == k.dim(0) && q.dim(2) == k.dim(2) && q.dim(2) % spec.heads() == 0 && k.dim(1) > 0
                && statistic.elements() == (long) q.dim(0) * spec.heads() * q.dim(1);
        if (!fits) {
            throw new ShapeException(kernel + ": " + spec + " takes q [B,N,C], k [B,M,C] and statistics [B,heads,N], got " + q + ", " + k + ", " + statistic);
        }
    }
}
