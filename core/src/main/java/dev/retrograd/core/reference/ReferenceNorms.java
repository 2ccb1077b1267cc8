package dev.retrograd.core.reference;

import dev.retrograd.core.NormKernels;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;

interface ReferenceNorms extends NormKernels {

    @Override default void groupNorm(int groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        normalize(Groups.of(x, groups), eps, x, gamma, beta, y, mean, rstd);
    }

    @Override default void groupNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward(Groups.of(x, mean.dim(-1)), x, gamma, mean, rstd, dy, dx);
    }

    @Override default void groupNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        backwardParameters(Groups.of(x, mean.dim(-1)), x, mean, rstd, dy, dgamma, dbeta);
    }

    @Override default void groupNormSiluBackward(Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor rstd, Tensor dy, Tensor dz) {
        Values gradient = Values.of(dy);
        Values out = Values.of(dz);
        Groups.of(x, mean.dim(-1)).forEach((group, c, i) -> {
            double z = Values.of(gamma).get(c) * (Values.of(x).get(i) - Values.of(mean).get(group)) * Values.of(rstd).get(group) + Values.of(beta).get(c);
            out.set(i, Functions.derivative(Unary.SILU, z) * gradient.get(i));
        });
    }

    @Override default void layerNorm(double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        normalize(Groups.ofRows(x), eps, x, gamma, beta, y, mean, rstd);
    }

    @Override default void layerNormBackward(Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        backward(Groups.ofRows(x), x, gamma, mean, rstd, dy, dx);
    }

    @Override default void layerNormBackwardParameters(Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        backwardParameters(Groups.ofRows(x), x, mean, rstd, dy, dgamma, dbeta);
    }

    private static void normalize(Groups groups, double eps, Tensor x, Tensor gamma, Tensor beta, Tensor y, Tensor mean, Tensor rstd) {
        Values in = Values.of(x);
        Values means = Values.of(mean);
        Values scales = Values.of(rstd);
        means.fill(0);
        scales.fill(0);
        groups.forEach((group, _, i) -> means.add(group, in.get(i) / groups.size()));
        groups.forEach((group, _, i) -> scales.add(group, Math.pow(in.get(i) - means.get(group), 2) / groups.size()));
        for (int group = 0; group < scales.length(); group++) {
            scales.set(group, 1 / Math.sqrt(scales.get(group) + eps));
        }
        groups.forEach((group, c, i) -> Values.of(y).set(i,
                Values.of(gamma).get(c) * (in.get(i) - means.get(group)) * scales.get(group) + Values.of(beta).get(c)));
    }

    /// `dx = rstd·(g − mean(g) − x̂·mean(g·x̂))` with `g = gamma·dy` and `x̂ = (x − mean)·rstd`, means over the group.
    private static void backward(Groups groups, Tensor x, Tensor gamma, Tensor mean, Tensor rstd, Tensor dy, Tensor dx) {
        Values in = Values.of(x);
        Values weight = Values.of(gamma);
        Values means = Values.of(mean);
        Values scales = Values.of(rstd);
        Values gradient = Values.of(dy);
        double[] meanG = new double[means.length()];
        double[] meanGx = new double[means.length()];
        groups.forEach((group, c, i) -> {
            double normalized = (in.get(i) - means.get(group)) * scales.get(group);
            meanG[group] += weight.get(c) * gradient.get(i) / groups.size();
            meanGx[group] += weight.get(c) * gradient.get(i) * normalized / groups.size();
        });
        groups.forEach((group, c, i) -> {
            double normalized = (in.get(i) - means.get(group)) * scales.get(group);
            Values.of(dx).set(i, scales.get(group) * (weight.get(c) * gradient.get(i) - meanG[group] - normalized * meanGx[group]));
        });
    }

    private static void backwardParameters(Groups groups, Tensor x, Tensor mean, Tensor rstd, Tensor dy, Tensor dgamma, Tensor dbeta) {
        Values outGamma = Values.of(dgamma);
        Values outBeta = Values.of(dbeta);
        outGamma.fill(0);
        outBeta.fill(0);
        groups.forEach((group, c, i) -> {
            double g = Values.of(dy).get(i);
            outGamma.add(c, g * (Values.of(x).get(i) - Values.of(mean).get(group)) * Values.of(rstd).get(group));
            outBeta.add(c, g);
        });
    }

    @Override default void softmax(Tensor x, Tensor y) {
        Values in = Values.of(x);
        Values out = Values.of(y);
        int width = x.shape().channels();
        for (int row = 0; row < x.shape().rows(); row++) {
            double max = Double.NEGATIVE_INFINITY;
            for (int c = 0; c < width; c++) {
                max = Math.max(max, in.get(row * width + c));
            }
            double sum = 0;
            for (int c = 0; c < width; c++) {
                sum += Math.exp(in.get(row * width + c) - max);
            }
            for (int c = 0; c < width; c++) {
                out.set(row * width + c, Math.exp(in.get(row * width + c) - max) / sum);
            }
        }
    }

    @Override default void softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
        Values result = Values.of(y);
        Values gradient = Values.of(dy);
        int width = y.shape().channels();
        for (int row = 0; row < y.shape().rows(); row++) {
            double sum = 0;
            for (int c = 0; c < width; c++) {
                sum += result.get(row * width + c) * gradient.get(row * width + c);
            }
            for (int c = 0; c < width; c++) {
                Values.of(dx).set(row * width + c, result.get(row * width + c) * (gradient.get(row * width + c) - sum));
            }
        }
    }

    @Override default void geglu(Tensor x, Tensor y) {
        int width = y.shape().channels();
        for (int row = 0; row < y.shape().rows(); row++) {
            for (int c = 0; c < width; c++) {
                double value = Values.of(x).get(row * 2 * width + c);
                double gate = Values.of(x).get(row * 2 * width + width + c);
                Values.of(y).set(row * width + c, value * Functions.value(Unary.GELU, gate));
            }
        }
    }

    @Override default void gegluBackward(Tensor x, Tensor dy, Tensor dx) {
        int width = dy.shape().channels();
        for (int row = 0; row < dy.shape().rows(); row++) {
            for (int c = 0; c < width; c++) {
                double value = Values.of(x).get(row * 2 * width + c);
                double gate = Values.of(x).get(row * 2 * width + width + c);
                double g = Values.of(dy).get(row * width + c);
                Values.of(dx).set(row * 2 * width + c, g * Functions.value(Unary.GELU, gate));
                Values.of(dx).set(row * 2 * width + width + c, g * value * Functions.derivative(Unary.GELU, gate));
            }
        }
    }

    /// Which elements share a mean: per image (of `rows` rows) the channels of one of `perImage` groups.
    record Groups(int images, int rows, int channels, int perImage) {

        static Groups of(Tensor x, int groups) {
            return new Groups(x.dim(0), (int) (x.shape().rows() / x.dim(0)), x.shape().channels(), groups);
        }

        static Groups ofRows(Tensor x) {
            return new Groups((int) x.shape().rows(), 1, x.shape().channels(), 1);
        }

        /// Elements of one group.
        int size() {
            return rows * channels / perImage;
        }

        void forEach(Element body) {
            for (int image = 0; image < images; image++) {
                for (int row = 0; row < rows; row++) {
                    for (int c = 0; c < channels; c++) {
                        body.at(image * perImage + c / (channels / perImage), c, (image * rows + row) * channels + c);
                    }
                }
            }
        }
    }

    /// One element: the number of its group, its channel and where it lies.
    @FunctionalInterface interface Element {
        void at(int group, int channel, int index);
    }
}
