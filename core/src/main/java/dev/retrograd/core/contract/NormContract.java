package dev.retrograd.core.contract;

import dev.retrograd.core.DType;
import dev.retrograd.core.Spec;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.Arrays;

public interface NormContract extends Contract {
    double EPS = 1e-5;

    private void groupNorm(int groups, double offset, int... dims) {
        Spec spec = twins().activation(dims);
        double[] values = twins().random().normalDoubles(spec.shape().elements());
        Arrays.setAll(values, i -> values[i] + offset);
        Twin x = twins().of(spec, values);
        int channels = spec.shape().channels();
        Twin gamma = twins().single(channels);
        Twin beta = twins().single(channels);
        Twin y = twins().outputLike(x);
        Twin mean = twins().singleOutput(dims[0], groups);
        Twin rstd = twins().singleOutput(dims[0], groups);
        String what = " of " + groups + " groups, mean " + offset + ", " + spec;
        twins().run(s -> s.b().groupNorm(groups, EPS, s.of(x), s.of(gamma), s.of(beta), s.of(y), s.of(mean), s.of(rstd)));
        twins().agree("groupNorm" + what, y, rstd);
        Twin dy = twins().normal(dims);
        Twin dx = twins().outputLike(x);
        Twin dgamma = twins().outputLike(gamma);
        Twin dbeta = twins().outputLike(gamma);
        twins().run(s -> s.b().groupNormBackward(s.of(x), s.of(gamma), s.of(mean), s.of(rstd), s.of(dy), s.of(dx)));
        twins().run(s -> s.b().groupNormBackwardParameters(s.of(x), s.of(mean), s.of(rstd), s.of(dy), s.of(dgamma), s.of(dbeta)));
        agreeOnInputGradient("groupNormBackward" + what, spec.shape().span(1, dims.length) / groups, dx);
        twins().agree("groupNormBackwardParameters" + what, dgamma, dbeta);
        Twin fused = twins().outputLike(x);
        twins().run(s -> s.b().groupNormSilu(groups, EPS, s.of(x), s.of(gamma), s.of(beta), s.of(fused), s.of(mean), s.of(rstd)));
        twins().agree("groupNormSilu" + what, fused, rstd);
        Twin dz = twins().outputLike(x);
        twins().run(s -> s.b().groupNormSiluBackward(s.of(x), s.of(gamma), s.of(beta), s.of(mean), s.of(rstd), s.of(dy), s.of(dz)));
        twins().agree("groupNormSiluBackward" + what, dz);
        Twin fusedDx = twins().outputLike(x);
        twins().run(s -> s.b().groupNormSiluBackwardInput(s.of(x), s.of(gamma), s.of(beta), s.of(mean), s.of(rstd), s.of(dy), s.of(fusedDx)));
        agreeOnInputGradient("groupNormSiluBackwardInput" + what, spec.shape().span(1, dims.length) / groups, fusedDx);
        twins().run(s -> s.b().groupNormSiluBackward(s.of(x), s.of(gamma), s.of(beta), s.of(mean), s.of(rstd), s.of(dy), s.of(dy)));
        twins().agree("groupNormSiluBackward onto dy" + what, dy);
    }

    /// A group of one element has no gradient: g − mean(g) cancels, and what rounding leaves of it is scaled by rstd = 1/√eps. One of two has hardly
    /// any, being mapped to ±1 whatever its values are: too little for 16 bits to hold.
    private void agreeOnInputGradient(String what, long groupSize, Twin dx) {
        if (groupSize <= (twins().activations() == DType.F32 ? 1 : 2)) {
            twins().agreeWithin(twins().slack() / Math.sqrt(EPS), what, dx);
        } else {
            twins().agree(what, dx);
        }
    }

    @AtSizes default void groupNormOverSoManyRows(int rows) {
        groupNorm(1, 0.5, 2, rows, 6);
        groupNorm(3, 0.5, 2, rows, 6);
        groupNorm(6, 0.5, 1, rows, 1, 6);
    }

    @AtSizes default void groupNormOverSoManyChannels(int channels) {
        groupNorm(1, 0.5, 2, 3, 3, channels);
        groupNorm(channels, 0.5, 2, 3, 3, channels);
    }

    @Case default void groupNormOfTheModels() {
        groupNorm(32, 0, 2, 8, 8, 64);
        groupNorm(32, 0, 1, 64, 320);
        groupNorm(8, 0, 2, 16, 16, 32);
    }

    /// More elements than one block of a device takes on alone.
    @Case default void groupNormOfLargeGroups() {
        groupNorm(2, 0.5, 1, 130, 130, 8);
        groupNorm(1, 0.5, 1, 70_001, 1);
    }

    /// Where the mean is a thousand standard deviations, the difference of float32 sums of squares would have no digits left.
    @Case default void groupNormFarFromZero() {
        groupNorm(4, 1000, 2, 8, 8, 16);
    }

    @AtSizes default void layerNormOfASize(int size) {
        for (int rows : new int[] {1, 7, 77}) {
            Twin x = twins().uniform(-1, 3, 2, rows, size);
            Twin gamma = twins().single(size);
            Twin beta = twins().single(size);
            Twin y = twins().outputLike(x);
            Twin mean = twins().singleOutput(2 * rows);
            Twin rstd = twins().singleOutput(2 * rows);
            twins().run(s -> s.b().layerNorm(EPS, s.of(x), s.of(gamma), s.of(beta), s.of(y), s.of(mean), s.of(rstd)));
            twins().agree("layerNorm " + x.spec(), y, rstd);
            Twin dy = twins().normal(2, rows, size);
            Twin dx = twins().outputLike(x);
            Twin dgamma = twins().outputLike(gamma);
            Twin dbeta = twins().outputLike(gamma);
            twins().run(s -> s.b().layerNormBackward(s.of(x), s.of(gamma), s.of(mean), s.of(rstd), s.of(dy), s.of(dx)));
            twins().run(s -> s.b().layerNormBackwardParameters(s.of(x), s.of(mean), s.of(rstd), s.of(dy), s.of(dgamma), s.of(dbeta)));
            agreeOnInputGradient("layerNormBackward " + x.spec(), size, dx);
            twins().agree("layerNormBackwardParameters " + x.spec(), dgamma, dbeta);
        }
    }

    @AtSizes default void softmaxOfASize(int size) {
        for (double magnitude : new double[] {1, 100}) {
            Twin x = twins().uniform(-magnitude, magnitude, 3, 5, size);
            Twin y = twins().outputLike(x);
            twins().run(s -> s.b().softmax(s.of(x), s.of(y)));
            twins().agree("softmax within ±" + magnitude, y);
            Twin dy = twins().normal(3, 5, size);
            Twin dx = twins().outputLike(x);
            twins().run(s -> s.b().softmaxBackward(s.of(y), s.of(dy), s.of(dx)));
            twins().agree("softmaxBackward within ±" + magnitude, dx);
        }
    }

    @AtSizes default void gatedGeluOfASize(int size) {
        Twin x = twins().uniform(-4, 4, 2, 3, 2 * size);
        Twin y = twins().output(2, 3, size);
        twins().run(s -> s.b().geglu(s.of(x), s.of(y)));
        twins().agree("geglu " + x.spec(), y);
        Twin dy = twins().normal(2, 3, size);
        Twin dx = twins().outputLike(x);
        twins().run(s -> s.b().gegluBackward(s.of(x), s.of(dy), s.of(dx)));
        twins().agree("gegluBackward " + x.spec(), dx);
    }

    @Case default void aConstantGroupIsMappedToBeta() {
        Twin x = twins().of(twins().activation(1, 4, 2), 3, 3, 3, 3, 3, 3, 3, 3);
        Twin gamma = twins().vector(2, 3);
        Twin beta = twins().vector(-1, 5);
        Twin y = twins().outputLike(x);
        Twin mean = twins().singleOutput(1, 1);
        Twin rstd = twins().singleOutput(1, 1);
        twins().run(s -> s.b().groupNorm(1, EPS, s.of(x), s.of(gamma), s.of(beta), s.of(y), s.of(mean), s.of(rstd)));
        twins().agreeExactly("groupNorm of a constant", y);
        twins().agreeExactly("mean of a constant", mean);
    }
}
