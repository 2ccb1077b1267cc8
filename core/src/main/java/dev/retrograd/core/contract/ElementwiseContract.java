package dev.retrograd.core.contract;

import static dev.retrograd.core.testing.Claims.assertArrayEquals;
import static dev.retrograd.core.testing.Claims.assertTrue;

import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.contract.Twins.Twin;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

public interface ElementwiseContract extends Contract {
    private static List<Unary> functions() {
        return List.of(Unary.SILU, Unary.GELU, Unary.QUICK_GELU, Unary.SIGMOID, Unary.TANH, Unary.RELU, Unary.EXP, Unary.LOG, Unary.SQRT, Unary.ABS,
                Unary.ROUND_CUBIC, Unary.ROUND_STRAIGHT, Unary.pow(3), Unary.pow(2), Unary.pow(-1), Unary.pow(0.5), Unary.clamp(-0.75, 0.5));
    }

    private static boolean positiveOnly(Unary f) {
        return f.kind() == Unary.Kind.LOG || f.kind() == Unary.Kind.SQRT || f.kind() == Unary.Kind.POW;
    }

    private Twin argument(Unary f, DType dtype, int size) {
        double[] values = new double[size];
        for (int i = 0; i < size; i++) {
            values[i] = positiveOnly(f) ? 0.05 + 3 * twins().random().uniform(1, 0, 1)[0] : 3 * twins().random().normalDoubles(1)[0];
        }
        return twins().of(new Spec(Shape.of(size), dtype), values);
    }

    @AtSizes default void unaryFunctionsAndTheirDerivatives(int size) {
        for (Unary f : functions()) {
            for (DType dtype : twins().floats()) {
                Twin x = argument(f, dtype, size);
                Twin dy = twins().normal(dtype, size);
                Twin y = twins().outputLike(x);
                Twin dx = twins().outputLike(x);
                twins().run(s -> s.b().unary(f, s.of(x), s.of(y)));
                twins().run(s -> s.b().unaryBackward(f, s.of(x), s.of(dy), s.of(dx)));
                twins().agreeElementwise("unary " + f, y);
                twins().agreeElementwise("unaryBackward " + f, dx);
                twins().run(s -> s.b().unaryBackward(f, s.of(x), s.of(dy), s.of(dy)));
                twins().agreeElementwise("unaryBackward onto dy " + f, dy);
                twins().run(s -> s.b().unary(f, s.of(x), s.of(x)));
                twins().agreeElementwise("unary in place " + f, x);
            }
        }
    }

    @Case default void unaryFunctionsAtTheirEdges() {
        Twin x = twins().vector(-100, -50, -20, -10, -6, -2.5, -1.5, -0.75, -0.5, 0, 0.5, 1.5, 2.5, 6, 10, 20, 50, 80, 1e-20, -1e-20);
        for (Unary f : functions()) {
            if (!positiveOnly(f)) {
                Twin y = twins().outputLike(x);
                Twin dx = twins().outputLike(x);
                Twin dy = twins().vector(DoubleStream.generate(() -> 1).limit(20).toArray());
                twins().run(s -> s.b().unary(f, s.of(x), s.of(y)));
                twins().run(s -> s.b().unaryBackward(f, s.of(x), s.of(dy), s.of(dx)));
                twins().agreeElementwise("unary " + f, y);
                twins().agreeElementwise("unaryBackward " + f, dx);
            }
        }
    }

    @Case default void noFunctionHidesANaN() {
        Twin x = twins().of(twins().activation(19), DoubleStream.generate(() -> Double.NaN).limit(19).toArray());
        Twin one = twins().of(twins().activation(19), DoubleStream.generate(() -> 1).limit(19).toArray());
        Twin y = twins().outputLike(x);
        for (Unary f : functions()) {
            twins().run(s -> s.b().fill(s.of(y), 0));
            twins().run(s -> s.b().unary(f, s.of(x), s.of(y)));
            assertTrue(DoubleStream.of(twins().values(y)).allMatch(Double::isNaN), "unary " + f + " of NaN");
        }
        for (Binary f : Binary.values()) {
            twins().run(s -> s.b().fill(s.of(y), 0));
            twins().run(s -> s.b().binary(f, s.of(one), s.of(x), s.of(y)));
            assertTrue(DoubleStream.of(twins().values(y)).allMatch(Double::isNaN), "binary " + f + " of 1 and NaN");
        }
    }

    @AtSizes default void binaryFunctionsAlsoInPlace(int size) {
        for (Binary f : Binary.values()) {
            for (DType dtype : twins().floats()) {
                Twin a = twins().normal(dtype, size);
                Twin b = twins().normal(dtype, size);
                Twin y = twins().outputLike(a);
                twins().run(s -> s.b().binary(f, s.of(a), s.of(b), s.of(y)));
                twins().agreeElementwise("binary " + f, y);
                twins().run(s -> s.b().binary(f, s.of(a), s.of(b), s.of(b)));
                twins().agreeElementwise("binary onto b " + f, b);
                twins().run(s -> s.b().binary(f, s.of(a), s.of(y), s.of(a)));
                twins().agreeElementwise("binary onto a " + f, a);
                twins().run(s -> s.b().binary(f, s.of(y), s.of(y), s.of(y)));
                twins().agreeElementwise("binary of one tensor " + f, y);
            }
        }
    }

    @Case default void binaryBroadcasts() {
        int[][][] pairs = {{{2, 3, 5}, {5}}, {{5}, {2, 3, 5}}, {{2, 1, 5}, {3, 1}}, {{}, {4, 7}}, {{4, 7}, {1}}, {{2, 4, 3, 8}, {2, 1, 1, 1}}, {{2, 4, 3, 8}, {2, 1, 1, 8}},
            {{2, 4, 3, 8}, {4, 3, 1}}, {{2, 64, 320}, {320}}, {{1, 1, 13}, {7, 1, 1}}, {{3, 207}, {3, 1}}, {{1}, {1}}, {{2, 1, 3, 1, 5}, {4, 1, 6, 1}}};
        for (int[][] pair : pairs) {
            for (Binary f : Binary.values()) {
                for (DType dtype : twins().floats()) {
                    Twin a = twins().normal(dtype, pair[0]);
                    Twin b = twins().normal(dtype, pair[1]);
                    Twin y = twins().output(new Spec(Shape.broadcast(Shape.of(pair[0]), Shape.of(pair[1])), dtype));
                    twins().run(s -> s.b().binary(f, s.of(a), s.of(b), s.of(y)));
                    twins().agreeElementwise("binary " + f + " " + a.spec() + " " + b.spec(), y);
                    if (a.spec().equals(y.spec())) {
                        twins().run(s -> s.b().binary(f, s.of(a), s.of(b), s.of(a)));
                        twins().agreeElementwise("binary onto a " + f + " " + b.spec(), a);
                    }
                }
            }
        }
    }

    @AtSizes default void linearCombinationsOfUpToSixTensors(int size) {
        double[] coefficients = {0.5, -1.25, 3, 1e-3, -7, 1 / 3.0};
        for (int terms = 1; terms <= coefficients.length; terms++) {
            for (DType dtype : twins().floats()) {
                double[] used = Arrays.copyOf(coefficients, terms);
                Twin[] xs = new Twin[terms];
                Arrays.setAll(xs, _ -> twins().normal(dtype, size));
                Twin y = twins().outputLike(xs[0]);
                twins().run(s -> s.b().linearCombination(0.75, used, tensors(s, xs), s.of(y)));
                twins().agreeElementwise("linearCombination of " + terms, y);
                Twin last = xs[terms - 1];
                twins().run(s -> s.b().linearCombination(0, used, tensors(s, xs), s.of(last)));
                twins().agreeElementwise("linearCombination onto its last of " + terms, last);
            }
        }
        Twin x = twins().normal(size);
        twins().run(s -> s.b().linearCombination(1, new double[] {2, 3}, new Tensor[] {s.of(x), s.of(x)}, s.of(x)));
        twins().agreeElementwise("linearCombination of one tensor twice, in place", x);
    }

    private static Tensor[] tensors(Twins.Side s, Twin[] twins) {
        return Arrays.stream(twins).map(s::of).toArray(Tensor[]::new);
    }

    @AtSizes default void fillsAndConvertsBetweenAllTypes(int size) {
        double[] values = new double[size];
        Arrays.setAll(values, i -> i % 128);
        for (DType from : DType.values()) {
            Twin x = twins().of(new Spec(Shape.of(size), from), values);
            for (DType to : DType.values()) {
                Twin y = twins().output(new Spec(Shape.of(size), to));
                twins().run(s -> s.b().convert(s.of(x), s.of(y)));
                assertArrayEquals(values, twins().values(y), "convert " + from + " to " + to);
            }
            twins().run(s -> s.b().fill(s.of(x), 5));
            assertArrayEquals(DoubleStream.generate(() -> 5).limit(size).toArray(), twins().values(x), "fill " + from);
        }
    }

    @Case default void conversionRoundsToNearestEvenAndTruncatesToIntegers() {
        double[] edges = {0, -0.0, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-11, 1 + 0x3p-11, 1 + 0x1p-9, 65519, 65520, 70000, -70000, 1e-7, 6e-8, 2.9e-8, 1e-40, 3.4e38, -2.7, 2.7,
            Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
        Twin x = twins().vector(edges);
        for (DType to : List.of(DType.F16, DType.BF16)) {
            Twin y = twins().output(new Spec(Shape.of(edges.length), to));
            Twin back = twins().outputLike(x);
            twins().run(s -> s.b().convert(s.of(x), s.of(y)));
            twins().agreeExactly("convert to " + to, y);
            twins().run(s -> s.b().convert(s.of(y), s.of(back)));
            twins().agreeExactly("convert back from " + to, back);
        }
        Twin mixed = twins().vector(-2.7, 2.7, -0.5, 0.999, 1e9);
        for (DType to : List.of(DType.I32, DType.I64)) {
            Twin y = twins().output(new Spec(Shape.of(5), to));
            twins().run(s -> s.b().convert(s.of(mixed), s.of(y)));
            assertArrayEquals(new double[] {-2, 2, 0, 0, 1e9}, twins().values(y), "convert to " + to);
        }
        for (DType type : List.of(DType.F16, DType.BF16)) {
            Twin nan = twins().output(new Spec(Shape.of(3), type));
            Twin wide = twins().of(Spec.f32(3), 1, 2, 3);
            twins().run(s -> s.b().convert(s.of(nan), s.of(wide)));
            assertTrue(DoubleStream.of(twins().values(wide)).allMatch(Double::isNaN), "NaN survives " + type);
        }
    }

    @Case default void viewsAreWrittenWithinTheirBounds() {
        Twin x = twins().normal(5, 7);
        Twin y = twins().normal(5, 7);
        Twin from = x.view(t -> t.leading(1, 3));
        Twin to = y.view(t -> t.leading(2, 3));
        twins().run(s -> s.b().unary(Unary.SILU, s.of(from), s.of(to)));
        twins().agreeElementwise("unary between views", y);
        Twin row = y.view(t -> t.leading(1, 1).reshape(7));
        twins().run(s -> s.b().fill(s.of(row), 2));
        twins().agreeElementwise("fill of a view", y);
        Twin flat = y.view(t -> t.reshape(35));
        twins().run(s -> s.b().binary(Binary.ADD, s.of(flat), s.of(flat), s.of(flat)));
        twins().agreeElementwise("binary through a reshaped view", y);
    }
}
