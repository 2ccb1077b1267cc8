package dev.retrograd.trainer.check;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.DType;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// A kernel at a shape that Stable Diffusion 1.5 calls it with at 512 × 512 pixels, on random inputs, against the CPU backend in float32.
///
/// @param name `attention 8x4096x4096x40`
record ModelShape(String name, Call call) {
    /// Error of a result against float32, relative to its norm: operands are rounded by 2⁻⁸, 2⁻¹¹ or not at all, and roundings average out over a norm.
    private static double limit(Precision precision) {
        return switch (precision) {
            case BF16 -> 0x1p-5;
            case FP16, TF32 -> 0x1p-8;
            case F32 -> 1e-5;
        };
    }

    /// Calls the kernel on inputs that `in` makes, and gives its results.
    @FunctionalInterface interface Call {
        List<Tensor> on(Inputs in);
    }

    /// Random tensors, the same on every backend but for their type.
    ///
    /// @param activations the type of activations and matrices
    record Inputs(Backend b, DType activations, RandomValues random) {
        Tensor normal(double scale, int... dims) {
            Tensor wide = single(scale, dims);
            if (activations == DType.F32) {
                return wide;
            }
            Tensor t = out(dims);
            b.convert(wide, t);
            return t;
        }

        Tensor single(double scale, int... dims) {
            float[] values = random.normal(Shape.of(dims).elements());
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (values[i] * scale);
            }
            return b.floats("input", Shape.of(dims), values);
        }

        Tensor out(int... dims) {
            return b.empty("output", new Spec(Shape.of(dims), activations));
        }

        Tensor singleOut(int... dims) {
            return b.empty("output", Spec.f32(dims));
        }
    }

    /// @return the largest relative error of a result
    /// @throws AssertionError if one is beyond the limit
    String compare(Backend device, Backend cpu, long seed) {
        List<double[]> expected = results(cpu, seed);
        List<double[]> actual = results(device, seed);
        double worst = 0;
        for (int i = 0; i < expected.size(); i++) {
            Close.relativeL2(name + ", result " + i, expected.get(i), actual.get(i), limit(device.precision()));
            worst = Math.max(worst, Close.relativeL2(expected.get(i), actual.get(i)));
        }
        return String.format(Locale.ROOT, "error %.1e", worst);
    }

    private List<double[]> results(Backend b, long seed) {
        try (Scope _ = b.memory().open(name)) {
            return call.on(new Inputs(b, b.activations(), new RandomValues(seed))).stream().map(y -> Close.widened(b.toFloats(y))).toList();
        }
    }

    /// Those of UNet and VAE, forward and backward.
    static List<ModelShape> all() {
        List<ModelShape> all = new ArrayList<>();
        for (int[] s : new int[][] {{8192, 320, 320}, {2048, 640, 640}, {512, 1280, 1280}, {154, 768, 320}, {2, 320, 1280}}) {
            all.add(linear(s[0], s[1], s[2]));
            all.add(lora(s[0], s[1], s[2]));
        }
        for (int[] s : new int[][] {{8192, 320}, {2048, 640}, {512, 1280}}) {
            all.add(geglu(s[0], s[1]));
            all.add(norm(s[0], s[1]));
        }
        all.add(gradientOfALowRankMatrix(8192, 320));
        for (int[] s : new int[][] {{64, 320, 320, 3, 1}, {64, 320, 320, 3, 2}, {32, 640, 640, 3, 1}, {16, 1280, 1280, 3, 1}, {8, 2560, 1280, 3, 1}, {64, 640, 320, 1, 1}, {64, 4, 320, 3, 1}, {64, 320, 4, 3, 1},
            {256, 256, 256, 3, 1}}) {
            all.add(convolution(s[0], s[1], s[2], s[3], s[4]));
        }
        for (int[] s : new int[][] {{8, 4096, 4096, 40}, {8, 4096, 77, 40}, {8, 1024, 1024, 80}, {8, 256, 256, 160}, {12, 77, 77, 64}, {1, 4096, 4096, 512}, {1, 512, 16384, 40}}) {
            all.add(attention(s[0], s[1], s[2], s[3]));
        }
        return all;
    }

    private static double fanIn(int products) {
        return 1 / Math.sqrt(products);
    }

    private static ModelShape linear(int rows, int in, int out) {
        return new ModelShape("linear " + rows + "x" + in + " to " + out, i -> {
            Tensor y = i.out(rows, out);
            i.b().linear(i.normal(1, rows, in), i.normal(fanIn(in), out, in), i.single(1, out), y);
            return List.of(y);
        });
    }

    private static ModelShape lora(int rows, int in, int out) {
        int rank = 4;
        return new ModelShape("lora linear " + rows + "x" + in + " to " + out, i -> {
            Tensor w = i.normal(fanIn(in), out, in);
            Tensor a = i.single(fanIn(in), rank, in);
            Tensor b = i.single(fanIn(rank), out, rank);
            Tensor xa = i.out(rows, rank);
            Tensor y = i.out(rows, out);
            i.b().loraLinear(i.normal(1, rows, in), w, a, b, 1, xa, y);
            Tensor dxa = i.out(rows, rank);
            Tensor dx = i.out(rows, in);
            i.b().loraLinearBackwardInput(i.normal(1, rows, out), w, a, b, 1, dxa, dx);
            return List.of(xa, y, dxa, dx);
        });
    }

    private static ModelShape gradientOfALowRankMatrix(int rows, int in) {
        return new ModelShape("gradient of a low-rank matrix " + rows + "x" + in, i -> {
            Tensor da = i.singleOut(4, in);
            i.b().matmul(i.normal(1, rows, 4), true, i.normal(1, rows, in), false, da);
            return List.of(da);
        });
    }

    private static ModelShape geglu(int rows, int width) {
        int inner = 4 * width;
        return new ModelShape("linear and GEGLU " + rows + "x" + width, i -> {
            Tensor hidden = i.out(rows, 2 * inner);
            Tensor y = i.out(rows, inner);
            i.b().linearGeglu(i.normal(1, rows, width), i.normal(fanIn(width), 2 * inner, width), i.single(1, 2 * inner), hidden, y);
            Tensor dhidden = i.out(rows, 2 * inner);
            i.b().gegluBackward(hidden, i.normal(1, rows, inner), dhidden);
            return List.of(y, dhidden);
        });
    }

    /// Group and layer normalisation of the same rows.
    private static ModelShape norm(int rows, int width) {
        int groups = 32;
        return new ModelShape("norms " + rows + "x" + width, i -> {
            Tensor x = i.normal(1, 2, rows / 2, width);
            Tensor gamma = i.single(1, width);
            Tensor beta = i.single(1, width);
            Tensor mean = i.singleOut(2, groups);
            Tensor rstd = i.singleOut(2, groups);
            Tensor y = i.out(2, rows / 2, width);
            i.b().groupNormSilu(groups, 1e-5, x, gamma, beta, y, mean, rstd);
            Tensor dy = i.normal(1, 2, rows / 2, width);
            Tensor dx = i.out(2, rows / 2, width);
            i.b().groupNormSiluBackwardInput(x, gamma, beta, mean, rstd, dy, dx);
            Tensor rowMean = i.singleOut(2, rows / 2);
            Tensor rowRstd = i.singleOut(2, rows / 2);
            Tensor z = i.out(2, rows / 2, width);
            i.b().layerNorm(1e-5, x, gamma, beta, z, rowMean, rowRstd);
            Tensor dz = i.out(2, rows / 2, width);
            i.b().layerNormBackward(x, gamma, rowMean, rowRstd, dy, dz);
            return List.of(y, dx, z, dz);
        });
    }

    private static ModelShape convolution(int size, int in, int out, int kernel, int stride) {
        ConvSpec spec = ConvSpec.square(kernel, stride, kernel / 2);
        int result = size / stride;
        return new ModelShape("convolution " + kernel + "x" + kernel + (stride == 1 ? "" : " by " + stride) + " " + size + "x" + size + "x" + in + " to " + out, i -> {
            Tensor w = i.normal(fanIn(in * kernel * kernel), out, kernel, kernel, in);
            Tensor y = i.out(1, result, result, out);
            i.b().conv2d(spec, i.normal(1, 1, size, size, in), w, i.single(1, out), y);
            Tensor dx = i.out(1, size, size, in);
            i.b().conv2dBackwardInput(spec, i.normal(1, 1, result, result, out), w, dx);
            return List.of(y, dx);
        });
    }

    private static ModelShape attention(int heads, int rows, int keys, int width) {
        AttentionSpec spec = new AttentionSpec(heads, fanIn(width), false);
        int channels = heads * width;
        return new ModelShape("attention " + heads + "x" + rows + "x" + keys + "x" + width, i -> {
            Tensor q = i.normal(1, 1, rows, channels);
            Tensor k = i.normal(1, 1, keys, channels);
            Tensor v = i.normal(1, 1, keys, channels);
            Tensor y = i.out(1, rows, channels);
            Tensor logSumExp = i.singleOut(1, heads, rows);
            i.b().attention(spec, q, k, v, y, logSumExp);
            Tensor delta = i.singleOut(1, heads, rows);
            Tensor dq = i.out(1, rows, channels);
            Tensor dk = i.out(1, keys, channels);
            Tensor dv = i.out(1, keys, channels);
            i.b().attentionBackward(spec, q, k, v, y, logSumExp, i.normal(1, 1, rows, channels), delta, dq, dk, dv);
            return List.of(y, dq, dk, dv);
        });
    }
}
