package dev.retrograd.cuda;

import static dev.retrograd.cuda.Launcher.address;
import static dev.retrograd.cuda.Launcher.suffix;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Launches `convolution.cu`: what {@link dev.retrograd.core.ConvolutionKernels} asks for, in float32 with weights of up to 32 bits.
final class ConvolutionKernels {
    private static final String MODULE = "convolution";
    private static final DType[] F32 = {DType.F32};
    private static final DType[] WEIGHTS = {DType.F32, DType.F16, DType.BF16};

    private final Launcher launcher;

    ConvolutionKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        forward(spec, x, w, 0, y);
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Launcher.sameType("conv2d", F32, bias);
        if (bias.elements() != y.dim(3)) {
            throw new ShapeException("conv2d: a bias per channel of y is required, got " + bias + " for " + y);
        }
        forward(spec, x, w, address(bias), y);
    }

    private void forward(ConvSpec spec, Tensor x, Tensor w, long bias, Tensor y) {
        require("conv2d", spec, x, w, y);
        launch("convolution_fwd_" + suffix(w.dtype()), spec, x, w, y, bias, x, w, y, y.shape().rows(), y.dim(3));
    }

    void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        require("conv2dBackwardInput", spec, dx, w, dy);
        launch("convolution_bwd_input_" + suffix(w.dtype()), spec, dy, w, dx, 0, dx, w, dy, dx.shape().rows(), dx.dim(3));
    }

    void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        require("conv2dBackwardWeight", spec, x, dw, dy);
        Launcher.sameType("conv2dBackwardWeight", F32, dw);
        launch(MODULE + "_bwd_weight_f32", spec, x, dy, dw, 0, x, dw, dy, dw.dim(0), dw.elements() / dw.dim(0));
    }

    private void launch(String kernel, ConvSpec spec, Tensor first, Tensor second, Tensor result, long bias, Tensor x, Tensor w, Tensor y, long rows, long columns) {
        launcher.arguments().i64(address(first)).i64(address(second)).i64s(address(result), bias, 0)
                .i32s(x.dim(0), x.dim(1), x.dim(2), x.dim(3), y.dim(1), y.dim(2), y.dim(3), w.dim(1), w.dim(2), spec.stride(), spec.padTop(), spec.padLeft());
        if (result.elements() > 0) {
            launcher.launch(MODULE, kernel, LaunchGrid.of(Math.toIntExact(Math.ceilDiv(rows, MatrixKernels.TILE)),
                    Math.toIntExact(Math.ceilDiv(columns, MatrixKernels.TILE)), 1, Launcher.THREADS));
        }
    }

    private static void require(String kernel, ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        Launcher.sameType(kernel, F32, x, y);
        Launcher.sameType(kernel, WEIGHTS, w);
        boolean fits = x.shape().rank() == 4 && w.shape().rank() == 4 && y.shape().rank() == 4 && w.dim(1) == spec.kernelHeight() && w.dim(2) == spec.kernelWidth()
                && w.dim(3) == x.dim(3) && y.dim(0) == x.dim(0) && y.dim(1) == spec.outHeight(x.dim(1)) && y.dim(2) == spec.outWidth(x.dim(2)) && y.dim(3) == w.dim(0);
        if (!fits) {
            throw new ShapeException(kernel + ": " + spec + " takes x [B,H,W,I], w [O,Kh,Kw,I], y [B,Ho,Wo,O], got " + x + ", " + w + ", " + y);
        }
    }
}
