package dev.retrograd.benchmarks;

import dev.retrograd.core.Binary;
import dev.retrograd.core.Resampling;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import org.openjdk.jmh.annotations.Benchmark;

/// Kernels that are bound by memory, at the shapes of the outermost level: `[1,64,64,320]`, its feed-forward layer `[4096,2560]`, an image of 512×512.
public class ElementwiseBenchmark extends DeviceBenchmark {
    private Tensor x;
    private Tensor y;
    private Tensor dx;
    private Tensor hidden;
    private Tensor gated;
    private Tensor dhidden;
    private Tensor joined;
    private Tensor large;
    private Tensor image;
    private Tensor resized;
    private Tensor scores;
    private Tensor weights;

    @Override void prepare() {
        x = tensors.next(1, 64, 64, 320);
        y = tensors.next(1, 64, 64, 320);
        dx = tensors.empty(1, 64, 64, 320);
        hidden = tensors.next(4096, 2560);
        gated = tensors.next(4096, 1280);
        dhidden = tensors.empty(4096, 2560);
        joined = tensors.empty(1, 64, 64, 640);
        large = tensors.empty(1, 128, 128, 320);
        image = tensors.next(1, 512, 512, 3);
        resized = tensors.empty(1, 224, 224, 3);
        scores = tensors.next(8, 1024, 77);
        weights = tensors.empty(8, 1024, 77);
        device.unary(Unary.SILU, x, dx);
        float[] xs = device.toFloats(x);
        tensors.check("silu", device.toFloats(dx), i -> xs[i] / (1 + Math.exp(-xs[i])));
    }

    @Benchmark public void silu(Rate rate) {
        device.unary(Unary.SILU, x, dx);
        ran(rate, 0, x, dx);
    }

    @Benchmark public void siluBackward(Rate rate) {
        device.unaryBackward(Unary.SILU, x, y, dx);
        ran(rate, 0, x, y, dx);
    }

    @Benchmark public void add(Rate rate) {
        device.binary(Binary.ADD, x, y, dx);
        ran(rate, 0, x, y, dx);
    }

    @Benchmark public void geglu(Rate rate) {
        device.geglu(hidden, gated);
        ran(rate, 0, hidden, gated);
    }

    @Benchmark public void gegluBackward(Rate rate) {
        device.gegluBackward(hidden, gated, dhidden);
        ran(rate, 0, hidden, gated, dhidden);
    }

    @Benchmark public void softmax(Rate rate) {
        device.softmax(scores, weights);
        ran(rate, 0, scores, weights);
    }

    @Benchmark public void concat(Rate rate) {
        device.copySlice(x, 3, 0, joined, 0, 320);
        device.copySlice(y, 3, 0, joined, 320, 320);
        ran(rate, 0, x, y, joined);
    }

    @Benchmark public void upsampleNearest(Rate rate) {
        device.upsampleNearest(2, x, large);
        ran(rate, 0, x, large);
    }

    /// 512×512 to the 224×224 of CLIP.
    @Benchmark public void resizeBicubic(Rate rate) {
        device.resize(new Resampling(Resampling.Filter.BICUBIC, false), image, resized);
        ran(rate, 0, image, resized);
    }
}
