package dev.retrograd.core.contract;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.List;

public interface ConvolutionContract extends Contract {

    private void convolve(ConvSpec spec, DType dtype, int batch, int height, int width, int in, int out) {
        Twin x = twins().normal(batch, height, width, in);
        Twin w = twins().normal(dtype, out, spec.kernelHeight(), spec.kernelWidth(), in);
        Twin bias = twins().single(out);
        Twin y = twins().output(batch, spec.outHeight(height), spec.outWidth(width), out);
        String what = " " + spec + " x " + x.spec() + " w " + w.spec();
        twins().run(s -> s.b().conv2d(spec, s.of(x), s.of(w), s.of(y)));
        twins().agree("conv2d" + what, y);
        Twin biased = twins().outputLike(y);
        twins().run(s -> s.b().conv2d(spec, s.of(x), s.of(w), s.of(bias), s.of(biased)));
        twins().agree("conv2d with bias" + what, biased);
        Twin dy = twins().normal(y.spec().shape().toArray());
        Twin dx = twins().outputLike(x);
        twins().run(s -> s.b().conv2dBackwardInput(spec, s.of(dy), s.of(w), s.of(dx)));
        twins().agree("conv2dBackwardInput" + what, dx);
        Twin dw = twins().singleOutput(out, spec.kernelHeight(), spec.kernelWidth(), in);
        twins().run(s -> s.b().conv2dBackwardWeight(spec, s.of(x), s.of(dy), s.of(dw)));
        twins().agree("conv2dBackwardWeight" + what, dw);
    }

    @AtSizes default void convolutionOfSoManyChannels(int channels) {
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 1, 5, 4, channels, 7);
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 1, 5, 4, 7, channels);
        convolve(ConvSpec.square(1, 1, 0), twins().activations(), 2, 3, 3, channels, 13);
    }

    @AtSizes default void convolutionOfSoManyColumns(int width) {
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 1, 2, width, 4, 5);
        convolve(ConvSpec.square(3, 2, 1), twins().activations(), 1, 2, width, 4, 5);
    }

    @Case default void convolutionWithEveryGeometryOfTheModels() {
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 2, 8, 8, 64, 64);
        convolve(ConvSpec.square(3, 2, 1), twins().activations(), 2, 8, 8, 13, 16);
        convolve(new ConvSpec(3, 3, 2, 0, 1, 0, 1), twins().activations(), 2, 8, 8, 13, 16);
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 2, 16, 16, 4, 32);
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 2, 16, 16, 32, 3);
        convolve(ConvSpec.square(4, 4, 0), twins().activations(), 2, 16, 16, 3, 24);
    }

    /// Products without tails in kernels with blocks of results, in every direction.
    @Case default void convolutionOfWholeTiles() {
        int[][] cases = {{2, 128, 128}, {2, 64, 64}, {2, 64, 128}, {1, 64, 64}, {1, 32, 64}, {1, 64, 32}};
        for (int[] c : cases) {
            convolve(ConvSpec.square(1, 1, 0), twins().activations(), c[0], 8, 8, c[1], c[2]);
        }
    }

    @Case default void convolutionWithUnusualGeometry() {
        convolve(new ConvSpec(2, 3, 1, 1, 0, 0, 2), twins().activations(), 2, 7, 13, 5, 6);
        convolve(ConvSpec.square(5, 1, 2), twins().activations(), 1, 3, 3, 4, 4);
        convolve(ConvSpec.square(2, 3, 0), twins().activations(), 1, 8, 7, 3, 5);
        convolve(ConvSpec.square(3, 1, 1), twins().activations(), 3, 1, 1, 7, 9);
        convolve(new ConvSpec(1, 4, 2, 0, 0, 3, 1), twins().activations(), 1, 5, 6, 2, 3);
        convolve(ConvSpec.square(3, 1, 4), twins().activations(), 1, 2, 3, 2, 3);
    }

    @Case default void weightsOfAnotherTypeConvolve() {
        for (DType dtype : twins().activations() == DType.F32 ? List.of(DType.F16, DType.BF16) : List.of(DType.F32)) {
            convolve(ConvSpec.square(3, 1, 1), dtype, 2, 5, 6, 13, 7);
            convolve(ConvSpec.square(1, 1, 0), dtype, 1, 4, 4, 64, 33);
            convolve(new ConvSpec(3, 3, 2, 0, 1, 0, 1), dtype, 1, 8, 8, 4, 8);
        }
    }
}
