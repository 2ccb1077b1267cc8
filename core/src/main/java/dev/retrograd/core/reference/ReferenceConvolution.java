package dev.retrograd.core.reference;

import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.ConvolutionKernels;
import dev.retrograd.core.Tensor;

interface ReferenceConvolution extends ConvolutionKernels {

    @Override default void conv2d(ConvSpec spec, Tensor x, Tensor w, Tensor y) {
        Values in = Values.operand(x, y);
        Values weight = Values.operand(w, y);
        Values out = Values.of(y);
        out.fill(0);
        forEachProduct(spec, x, y, (ix, iw, iy) -> out.add(iy, in.get(ix) * weight.get(iw)));
    }

    @Override default void conv2dBackwardInput(ConvSpec spec, Tensor dy, Tensor w, Tensor dx) {
        Values gradient = Values.operand(dy, dx);
        Values weight = Values.operand(w, dx);
        Values out = Values.of(dx);
        out.fill(0);
        forEachProduct(spec, dx, dy, (ix, iw, iy) -> out.add(ix, gradient.get(iy) * weight.get(iw)));
    }

    @Override default void conv2dBackwardWeight(ConvSpec spec, Tensor x, Tensor dy, Tensor dw) {
        Values in = Values.of(x);
        Values gradient = Values.of(dy);
        Values out = Values.of(dw);
        out.fill(0);
        forEachProduct(spec, x, dy, (ix, iw, iy) -> out.add(iw, gradient.get(iy) * in.get(ix)));
    }

    /// One product of the sum that defines a convolution: where its input, weight and output lie.
    @FunctionalInterface interface Product {
        void at(long x, long w, long y);
    }

    /// Visits every (x, w, y) with `y[b,oh,ow,o] += x[b, oh·stride − padTop + kh, ow·stride − padLeft + kw, i] · w[o,kh,kw,i]` inside the image.
    private static void forEachProduct(ConvSpec spec, Tensor x, Tensor y, Product product) {
        int height = x.dim(1);
        int width = x.dim(2);
        int inputs = x.dim(3);
        int outputs = y.dim(3);
        for (int b = 0; b < y.dim(0); b++) {
            for (int oh = 0; oh < y.dim(1); oh++) {
                for (int ow = 0; ow < y.dim(2); ow++) {
                    for (int kh = 0; kh < spec.kernelHeight(); kh++) {
                        for (int kw = 0; kw < spec.kernelWidth(); kw++) {
                            int h = oh * spec.stride() - spec.padTop() + kh;
                            int c = ow * spec.stride() - spec.padLeft() + kw;
                            if (h < 0 || h >= height || c < 0 || c >= width) {
                                continue;
                            }
                            long atX = (((long) b * height + h) * width + c) * inputs;
                            long atY = (((long) b * y.dim(1) + oh) * y.dim(2) + ow) * outputs;
                            for (int o = 0; o < outputs; o++) {
                                long atW = (((long) o * spec.kernelHeight() + kh) * spec.kernelWidth() + kw) * inputs;
                                for (int i = 0; i < inputs; i++) {
                                    product.at(atX + i, atW + i, atY + o);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
