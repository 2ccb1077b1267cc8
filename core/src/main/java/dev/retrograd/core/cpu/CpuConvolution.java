package dev.retrograd.core.cpu;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;

/// Convolutions as matrix products over patches that exist only as packed blocks; see {@link dev.retrograd.core.ConvolutionKernels}.
///
/// | product | left | right | result |
/// |---|---|---|---|
/// | forward | patches of x [B·Ho·Wo, Kh·Kw·I] | wᵀ | y |
/// | input gradient | patches of dy, per class of pixels | w turned, as [taps·O, I] | dx |
/// | weight gradient | dyᵀ [O, B·Ho·Wo] | patches of x | dw |
final class CpuConvolution {
    private static final MicroKernel.Update OVERWRITE = new MicroKernel.Update(1, 0, false);

    private final Gemm gemm;

    CpuConvolution(Gemm gemm) {
        this.gemm = gemm;
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        forward(spec, x, w, OVERWRITE, y);
    }

    void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor bias, Tensor y) {
        if (bias.elements() != y.shape().channels()) {
            throw new ShapeException("conv2d: bias must hold a value for each channel of y " + y.shape() + ", got " + bias.shape());
        }
        forward(spec, x, w, new MicroKernel.Update(1, address("conv2d", bias, false), false), y);
    }

    private void forward(ConvSpec spec, Tensor x, Tensor w, MicroKernel.Update update, Tensor y) {
        check("conv2d", spec, x, w, y);
        long result = result("conv2d", y);
        Patches patches = patches("conv2d", spec, x, y);
        int depth = Math.toIntExact(w.shape().span(1, 4));
        Source weight = new Source.DenseLines(w.dtype(), address("conv2d", w, true), depth, 0);
        gemm.run(1, rows(y), y.dim(3), depth, patches.lines(), weight, new Target.Dense(result, y.dim(3), 0), update);
    }

    /// Stride s splits the pixels of dx into s² classes that see different taps; each is a product of its own, without
    /// multiplying the zeros between strides.
    void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        check("conv2dBackwardInput", spec, dx, w, dy);
        long gradient = address("conv2dBackwardInput", dy, false);
        long weight = address("conv2dBackwardInput", w, true);
        long result = result("conv2dBackwardInput", dx);
        int stride = spec.stride();
        for (int row = 0; row < Math.min(stride, dx.dim(1)); row++) {
            for (int column = 0; column < Math.min(stride, dx.dim(2)); column++) {
                Axis vertical = Axis.of(row, spec.padTop(), spec.kernelHeight(), stride, dx.dim(1));
                Axis horizontal = Axis.of(column, spec.padLeft(), spec.kernelWidth(), stride, dx.dim(2));
                Source left = new Patches(gradient, dy.dim(1), dy.dim(2), dy.dim(3), vertical.pixels, horizontal.pixels,
                        vertical.taps, horizontal.taps, 1, vertical.before, horizontal.before).lines();
                Source right = new KernelTaps(w.dtype(), weight, w.dim(0), w.dim(1), w.dim(2), w.dim(3), stride,
                        vertical.firstTap, horizontal.firstTap, vertical.taps, horizontal.taps);
                Target target = new Target.Pixels(result, dx.dim(1), dx.dim(2), dx.dim(3), stride, row, column,
                        vertical.pixels, horizontal.pixels);
                gemm.run(1, Math.multiplyExact(dx.dim(0), vertical.pixels * horizontal.pixels), dx.dim(3),
                        vertical.taps * horizontal.taps * dy.dim(3), left, right, target, OVERWRITE);
            }
        }
    }

    void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        check("conv2dBackwardWeight", spec, x, dw, dy);
        Source left = new Source.DenseSteps(DType.F32, address("conv2dBackwardWeight", dy, false), dy.dim(3), 0);
        int places = Math.toIntExact(dw.shape().span(1, 4));
        Target target = new Target.Dense(result("conv2dBackwardWeight", dw), places, 0);
        gemm.run(1, dy.dim(3), places, rows(dy), left, patches("conv2dBackwardWeight", spec, x, dy).steps(), target, OVERWRITE);
    }

    /// Patches are read by address, so shapes that disagree must not get that far.
    private static void check(String where, ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        Shape weight = Shape.of(w.dim(0), spec.kernelHeight(), spec.kernelWidth(), x.dim(3));
        Shape out = Shape.of(x.dim(0), spec.outHeight(x.dim(1)), spec.outWidth(x.dim(2)), w.dim(0));
        if (!w.shape().equals(weight) || !y.shape().equals(out)) {
            throw new ShapeException("%s: weight must be %s and output %s for an image %s, got %s and %s"
                    .formatted(where, weight, out, x.shape(), w.shape(), y.shape()));
        }
    }

    /// What one class of input pixels sees along one axis: pixel first + stride·i meets tap firstTap + stride·j at output
    /// i + shift − j.
    ///
    /// @param before zero outputs before the first, once the taps are in ascending order of outputs
    private record Axis(int pixels, int firstTap, int taps, int before) {
        static Axis of(int first, int padding, int kernel, int stride, int size) {
            int firstTap = (first + padding) % stride;
            int taps = Math.max(0, Math.ceilDiv(kernel - firstTap, stride));
            int shift = (first + padding - firstTap) / stride;
            return new Axis(Math.ceilDiv(size - first, stride), firstTap, taps, taps - 1 - shift);
        }
    }

    private static Patches patches(String where, ConvSpec spec, Tensor x, Tensor y) {
        return new Patches(address(where, x, false), x.dim(1), x.dim(2), x.dim(3), y.dim(1), y.dim(2), spec.kernelHeight(),
                spec.kernelWidth(), spec.stride(), spec.padTop(), spec.padLeft());
    }

    private static int rows(Tensor images) {
        return Math.toIntExact(images.shape().rows());
    }

    private static long address(String where, Tensor t, boolean weight) {
        Widening.require(where, t, weight);
        return CpuMemory.data(t).address();
    }

    private static long result(String where, Tensor t) {
        Widening.require(where, t, false);
        return CpuMemory.result(t).address();
    }
}
