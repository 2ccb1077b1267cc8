package dev.retrograd.trainer.check;

import dev.retrograd.core.Backend;
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

/// How fast a device multiplies the matrices of linear layers, as the layers of the UNet have them at batch 8, and one that is bound by arithmetic alone.
public final class ProductRates {
    private static final int[][] FULL_SIZE = {{32768, 320, 320}, {8192, 640, 2560}, {2048, 1280, 5120}, {8192, 4096, 4096}};
    private static final int[][] TINY = {{64, 64, 64}};
    private static final int REPETITIONS = 20;
    private static final double NANOS = 1e9;
    private static final double TERA = 1e12;

    private ProductRates() {
    }

    /// A product `[rows, inner] · [columns, inner]ᵀ`.
    ///
    /// @param rate operations per second, two for each multiplication
    public record Rate(int rows, int columns, int inner, double rate) {

        private String beside(Rate other, String name) {
            return String.format(Locale.ROOT, "%dx%dx%d: %.3g TFLOP/s, %.2f times %s's %.3g", rows, columns, inner, rate / TERA, rate / other.rate, name, other.rate / TERA);
        }
    }

    /// Rates beside those of the same products by another way.
    ///
    /// @param name what the other way is called
    public static String beside(List<Rate> rates, List<Rate> others, String name) {
        return IntStream.range(0, rates.size()).mapToObj(i -> rates.get(i).beside(others.get(i), name)).collect(Collectors.joining("; "));
    }

    /// @param fullSize whether to take the shapes of the full-size model, or one of a miniature
    /// @throws AssertionError if a result is not finite
    public static List<Rate> measure(Backend b, boolean fullSize) {
        List<Rate> rates = new ArrayList<>();
        for (int[] s : fullSize ? FULL_SIZE : TINY) {
            try (Scope _ = b.memory().open("product")) {
                Random random = new Random(s[0]);
                Tensor x = operand(b, random, s[0], s[2]);
                Tensor w = operand(b, random, s[1], s[2]);
                Tensor y = b.empty("y", new Spec(Shape.of(s[0], s[1]), b.activations()));
                b.linear(x, w, y);
                b.synchronize();
                long start = System.nanoTime();
                for (int i = 0; i < REPETITIONS; i++) {
                    b.linear(x, w, y);
                }
                b.synchronize();
                double seconds = (System.nanoTime() - start) / NANOS;
                Tensor sum = b.empty("sum", Spec.f32());
                Tensor wide = b.empty("wide", Spec.f32(s[0], s[1]));
                b.convert(y, wide);
                b.sumTo(wide, 1, sum);
                Claims.assertTrue(Float.isFinite(b.toFloats(sum)[0]), "products: a finite sum of results is required, got " + b.toFloats(sum)[0]);
                rates.add(new Rate(s[0], s[1], s[2], 2.0 * s[0] * s[1] * s[2] * REPETITIONS / seconds));
            }
        }
        return rates;
    }

    private static Tensor operand(Backend b, Random random, int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        Tensor wide = b.floats("wide", Shape.of(rows, columns), values);
        Tensor narrow = b.empty("operand", wide.spec().with(b.activations()));
        b.convert(wide, narrow);
        return narrow;
    }
}
