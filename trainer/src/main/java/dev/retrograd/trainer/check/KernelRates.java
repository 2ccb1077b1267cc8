package dev.retrograd.trainer.check;

import dev.retrograd.core.AttentionSpec;
import dev.retrograd.core.Backend;
import dev.retrograd.core.ConvSpec;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.testing.Claims;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// How fast a device does what the UNet's arithmetic is: products of linear layers, convolutions with their input gradients, and attention with its gradients, at batch 8.
public final class KernelRates {
    private static final int REPETITIONS = 20;
    private static final double NANOS = 1e9;
    private static final double TERA = 1e12;

    /// What is timed.
    public enum Kind {
        /// `[rows, inner] · [columns, inner]ᵀ`, the last of which is bound by arithmetic alone.
        PRODUCTS(new int[][] {{32768, 320, 320}, {8192, 640, 2560}, {2048, 1280, 5120}, {8192, 4096, 4096}}, new int[] {64, 64, 64}),
        /// Images, rows and columns, input channels, output channels, stride of a kernel of 3 × 3.
        CONVOLUTIONS(new int[][] {{8, 64, 320, 320, 1}, {8, 32, 640, 640, 1}, {8, 16, 1280, 1280, 1}, {8, 64, 320, 320, 2}}, new int[] {1, 8, 16, 16, 1}),
        /// Images, queries, keys, heads, channels of a head.
        ATTENTION(new int[][] {{8, 4096, 4096, 8, 40}, {8, 4096, 77, 8, 40}, {8, 1024, 1024, 8, 80}, {8, 256, 256, 8, 160}}, new int[] {1, 64, 77, 2, 16});

        private final int[][] fullSize;
        private final int[] tiny;

        Kind(int[][] fullSize, int[] tiny) {
            this.fullSize = fullSize;
            this.tiny = tiny;
        }
    }

    private KernelRates() {
    }

    /// @param rate operations per second, two for each multiplication
    public record Rate(String name, double rate) {

        private String beside(Rate other, String by) {
            return String.format(Locale.ROOT, "%s: %.3g TFLOP/s, %.2f times %s's %.3g", name, rate / TERA, rate / other.rate, by, other.rate / TERA);
        }
    }

    /// Rates beside those of the same work by another way.
    ///
    /// @param name what the other way is called
    public static String beside(List<Rate> rates, List<Rate> others, String name) {
        return IntStream.range(0, rates.size()).mapToObj(i -> rates.get(i).beside(others.get(i), name)).collect(Collectors.joining("; "));
    }

    /// @param fullSize whether to take the shapes of the full-size model, or one of a miniature
    /// @throws AssertionError if a result is not finite
    public static List<Rate> measure(Backend b, Kind kind, boolean fullSize) {
        List<Rate> rates = new ArrayList<>();
        for (int[] s : fullSize ? kind.fullSize : new int[][] {kind.tiny}) {
            try (Scope _ = b.memory().open("rates")) {
                Random random = new Random(s[0]);
                switch (kind) {
                    case PRODUCTS -> product(b, random, rates, s);
                    case CONVOLUTIONS -> convolution(b, random, rates, s);
                    case ATTENTION -> attention(b, random, rates, s);
                }
            }
        }
        return rates;
    }

    private static void product(Backend b, Random random, List<Rate> rates, int... s) {
        Tensor x = operand(b, random, s[0], s[2]);
        Tensor w = operand(b, random, s[1], s[2]);
        Tensor y = b.empty("y", new Spec(Shape.of(s[0], s[1]), b.activations()));
        rates.add(new Rate(s[0] + "x" + s[1] + "x" + s[2], 2.0 * s[0] * s[1] * s[2] / seconds(b, y, () -> b.linear(x, w, y))));
    }

    private static void convolution(Backend b, Random random, List<Rate> rates, int... s) {
        ConvSpec spec = ConvSpec.square(3, s[4], 1);
        int out = spec.outHeight(s[1]);
        Tensor x = operand(b, random, s[0], s[1], s[1], s[2]);
        Tensor w = operand(b, random, s[3], 3, 3, s[2]);
        Tensor y = b.empty("y", new Spec(Shape.of(s[0], out, out, s[3]), b.activations()));
        double operations = 2.0 * y.elements() * w.elements() / s[3];
        String name = s[0] + "x" + s[1] + "x" + s[1] + "x" + s[2] + " to " + s[3] + (s[4] > 1 ? ", stride " + s[4] : "");
        rates.add(new Rate(name, operations / seconds(b, y, () -> b.conv2d(spec, x, w, y))));
        rates.add(new Rate(name + ", input gradient", operations / seconds(b, x, () -> b.conv2dBackwardInput(spec, y, w, x))));
    }

    /// Two products of every query and key forward, five for the gradients.
    private static void attention(Backend b, Random random, List<Rate> rates, int... s) {
        AttentionSpec spec = new AttentionSpec(s[3], 1 / Math.sqrt(s[4]), false);
        Tensor q = operand(b, random, s[0], s[1], s[3] * s[4]);
        Tensor k = operand(b, random, s[0], s[2], s[3] * s[4]);
        Tensor v = operand(b, random, s[0], s[2], s[3] * s[4]);
        Tensor y = b.empty("y", q.spec());
        Tensor logSumExp = b.empty("logSumExp", Spec.f32(s[0], s[3], s[1]));
        double operations = 2.0 * q.elements() * s[2];
        String name = s[0] + "x" + s[1] + "x" + s[3] + "x" + s[4] + " to " + s[2] + " keys";
        rates.add(new Rate(name, 2 * operations / seconds(b, y, () -> b.attention(spec, q, k, v, y, logSumExp))));
        Tensor dy = operand(b, random, s[0], s[1], s[3] * s[4]);
        Tensor delta = b.empty("delta", logSumExp.spec());
        Tensor dq = b.empty("dq", q.spec());
        Tensor dk = b.empty("dk", k.spec());
        Tensor dv = b.empty("dv", v.spec());
        rates.add(new Rate(name + ", gradients", 5 * operations / seconds(b, dq, () -> b.attentionBackward(spec, q, k, v, y, logSumExp, dy, delta, dq, dk, dv))));
    }

    /// Of one run of some work, after one that is not timed.
    private static double seconds(Backend b, Tensor result, Runnable work) {
        work.run();
        b.synchronize();
        long start = System.nanoTime();
        for (int i = 0; i < REPETITIONS; i++) {
            work.run();
        }
        b.synchronize();
        double seconds = (System.nanoTime() - start) / NANOS;
        Tensor sum = b.empty("sum", Spec.f32());
        Tensor wide = b.empty("wide", result.spec().with(sum.dtype()));
        b.convert(result, wide);
        b.sumTo(wide, 1, sum);
        Claims.assertTrue(Float.isFinite(b.toFloats(sum)[0]), "rates: a finite sum of results is required, got " + b.toFloats(sum)[0]);
        return seconds / REPETITIONS;
    }

    private static Tensor operand(Backend b, Random random, int... dims) {
        Shape shape = Shape.of(dims);
        float[] values = new float[Math.toIntExact(shape.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        Tensor wide = b.floats("wide", shape, values);
        Tensor narrow = b.empty("operand", wide.spec().with(b.activations()));
        b.convert(wide, narrow);
        return narrow;
    }
}
