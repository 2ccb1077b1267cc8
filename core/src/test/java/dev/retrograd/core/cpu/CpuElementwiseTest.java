package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Binary;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuElementwiseTest {
    /// Below a vector, across a tail, and across the chunks that threads share.
    private static final int[] SIZES = {1, 7, 13, 64, 207, 50_001};
    private static final List<Unary> FUNCTIONS = List.of(Unary.SILU, Unary.GELU, Unary.QUICK_GELU, Unary.SIGMOID, Unary.TANH, Unary.RELU, Unary.EXP,
            Unary.LOG, Unary.SQRT, Unary.ABS, Unary.pow(2), Unary.pow(0.3), Unary.pow(3), Unary.clamp(-0.5, 1.5), Unary.ROUND_CUBIC, Unary.ROUND_STRAIGHT);

    private final CpuBackend b = new CpuBackend(CpuBackend.Options.defaults().withThreads(2).withPoison());

    @AfterEach void close() {
        b.close();
    }

    @Test void floatFunctionsAgreeWithFloat64() {
        for (Unary f : FUNCTIONS) {
            for (int n : SIZES) {
                float[] x = inputs(f, n);
                Tensor t = b.floats("x", Shape.of(n), x);
                float[] y = b.toFloats(b.unary(f, t));
                for (int i = 0; i < n; i++) {
                    double want = UnaryScalars.value(f, x[i]);
                    assertClose(want, y[i], 1e-6, f + " at " + x[i]);
                }
            }
        }
    }

    @Test void floatSlopesAgreeWithFloat64AndMayOverwriteTheGradient() {
        for (Unary f : FUNCTIONS) {
            for (int n : SIZES) {
                float[] x = inputs(f, n);
                float[] dy = normals(n, 2);
                Tensor g = b.floats("dy", Shape.of(n), dy);
                b.unaryBackward(f, b.floats("x", Shape.of(n), x), g, g);
                float[] dx = b.toFloats(g);
                for (int i = 0; i < n; i++) {
                    assertClose(UnaryScalars.slope(f, x[i]) * dy[i], dx[i], 3e-6, f + " slope at " + x[i]);
                }
            }
        }
    }

    @Test void slopesAreTheDerivativesOfTheFunctions() {
        for (Unary f : FUNCTIONS) {
            if (f.kind() == Unary.Kind.ROUND_STRAIGHT) {
                continue;
            }
            for (double x : new double[] {0.3, 0.7, 1.2, 2.2}) {
                double h = 1e-5;
                double numeric = (UnaryScalars.value(f, x + h) - UnaryScalars.value(f, x - h)) / (2 * h);
                assertClose(numeric, UnaryScalars.slope(f, x), 1e-8, f + " at " + x);
            }
        }
    }

    @Test void kinksHaveTheSlopesThatAreSpecified() {
        Tensor x = b.floats("x", Shape.of(4), 0, -0.5f, 1.5f, -0f);
        Tensor ones = b.floats("ones", Shape.of(4), 1, 1, 1, 1);
        assertArrayEquals(new float[] {0, 0, 1, 0}, slope(Unary.RELU, x, ones));
        assertArrayEquals(new float[] {0, -1, 1, 0}, slope(Unary.ABS, x, ones));
        assertArrayEquals(new float[] {1, 1, 1, 1}, slope(Unary.clamp(-0.5, 1.5), x, ones));
        assertArrayEquals(new float[] {1, 1, 1, 1}, slope(Unary.ROUND_STRAIGHT, x, ones));
        float[] rounded = b.toFloats(b.unary(Unary.ROUND_STRAIGHT, b.floats("h", Shape.of(6), 0.5f, 1.5f, 2.5f, -0.5f, 8388609f, -4194303.5f)));
        assertArrayEquals(new float[] {0, 2, 2, -0f, 8388609f, -4194304f}, rounded);
    }

    @Test void doublesAreComputedAsDoubles() {
        Tensor x = doubles("x", 0.1, 1e-9, 2);
        assertArrayEquals(new double[] {Math.exp(0.1), Math.exp(1e-9), Math.exp(2)}, toDoubles(b.unary(Unary.EXP, x)), 1e-15);
        assertArrayEquals(new double[] {0.5398278372770290 * 0.1, 0.5 * 1e-9, 0.9772498680518208 * 2}, toDoubles(b.unary(Unary.GELU, x)), 1e-15);
        Tensor dx = b.empty("dx", x.spec());
        b.unaryBackward(Unary.pow(3), x, x, dx);
        assertArrayEquals(new double[] {0.003, 3e-27, 24}, toDoubles(dx), 1e-15);
        assertArrayEquals(new double[] {0.2, 2e-9, 4}, toDoubles(b.binary(Binary.ADD, x, x)));
        assertArrayEquals(new double[] {1.2, 1 + 2e-9, 5}, toDoubles(b.linearCombination(1, new double[] {2, 0}, x, x)), 1e-15);
    }

    @Test void everyBroadcastPatternAgreesWithIndexArithmetic() {
        int[][][] pairs = {
            {{2, 3, 5, 7}, {2, 3, 5, 7}}, {{2, 3, 5, 7}, {7}}, {{7}, {2, 3, 5, 7}}, {{2, 3, 5, 7}, {}}, {{}, {13}}, {{}, {}},
            {{2, 4, 4, 33}, {2, 1, 1, 33}}, {{2, 1, 1, 33}, {2, 4, 4, 33}}, {{2, 3, 5, 7}, {2, 1, 1, 1}}, {{4, 1}, {1, 207}}, {{1, 64}, {13, 1}},
            {{2, 1, 5, 1}, {1, 3, 1, 7}}, {{3, 2, 1}, {2, 17}}, {{1}, {1, 1}}, {{2, 50_000}, {2, 1}}, {{40_000, 2}, {2}}, {{5, 1, 6}, {5, 4, 1}}, {{0, 3}, {3}},
        };
        for (int[][] pair : pairs) {
            for (Binary f : Binary.values()) {
                Shape as = Shape.of(pair[0]);
                Shape bs = Shape.of(pair[1]);
                float[] av = normals((int) as.elements(), 1);
                float[] bv = normals((int) bs.elements(), 2);
                Tensor y = b.binary(f, b.floats("a", as, av), b.floats("b", bs, bv));
                Shape ys = Shape.broadcast(as, bs);
                float[] got = b.toFloats(y);
                float[] want = new float[got.length];
                for (int i = 0; i < want.length; i++) {
                    want[i] = (float) operator(f).applyAsDouble(av[source(i, ys, as)], bv[source(i, ys, bs)]);
                }
                assertArrayEquals(want, got, f + " " + as + " " + bs);
            }
        }
    }

    @Test void outputsMayBeInputs() {
        for (int n : SIZES) {
            float[] x = normals(n, 3);
            float[] y = normals(n, 4);
            Tensor a = b.floats("a", Shape.of(n), x);
            Tensor c = b.floats("c", Shape.of(n), y);
            b.binary(Binary.SUB, c, a, a);
            b.linearCombination(0.25, new double[] {2, -3}, new Tensor[] {c, a}, c);
            float[] got = b.toFloats(c);
            for (int i = 0; i < n; i++) {
                assertClose(0.25 + 2 * y[i] - 3 * (y[i] - x[i]), got[i], 1e-6, "at " + i);
            }
        }
    }

    @Test void theNumberOfThreadsChangesNoBit() {
        int n = 100_003;
        try (CpuBackend one = new CpuBackend(CpuBackend.Options.defaults().withThreads(1));
                CpuBackend five = new CpuBackend(CpuBackend.Options.defaults().withThreads(5))) {
            float[] x = normals(n, 6);
            for (Unary f : FUNCTIONS) {
                assertArrayEquals(one.toFloats(one.unary(f, one.floats("x", Shape.of(n), x))),
                        five.toFloats(five.unary(f, five.floats("x", Shape.of(n), x))));
            }
            assertArrayEquals(one.toFloats(one.scaled(one.floats("x", Shape.of(n), x), 0.3)),
                    five.toFloats(five.scaled(five.floats("x", Shape.of(n), x), 0.3)));
        }
    }

    @Test void longIntegersConvertExactly() {
        Tensor x = b.empty("x", new Spec(Shape.of(2), DType.I64));
        b.upload(MemorySegment.ofArray(new long[] {(1L << 53) + 1, -5}), x);
        long[] back = new long[2];
        b.download(converted(x, DType.I64), MemorySegment.ofArray(back));
        assertArrayEquals(new long[] {(1L << 53) + 1, -5}, back);
        int[] narrow = new int[2];
        b.download(converted(x, DType.I32), MemorySegment.ofArray(narrow));
        assertArrayEquals(new int[] {Integer.MAX_VALUE, -5}, narrow);
    }

    @Test void refusesOtherTypesAndSizesByName() {
        Tensor ids = b.ints("ids", Shape.of(2), 1, 2);
        Tensor x = b.floats("weights", Shape.of(3), 1, 2, 3);
        assertMessage("unary: all F32 or all F64 are required, got 'ids' [2] I32 and 'ids' [2] I32",
                assertThrows(DTypeException.class, () -> b.unary(Unary.SILU, ids)));
        assertMessage("unary: as many elements are required in both, got 'weights' [3] F32 and 'y' [4] F32",
                assertThrows(ShapeException.class, () -> b.unary(Unary.SILU, x, b.empty("y", Spec.f32(4)))));
        assertThrows(ShapeException.class, () -> b.binary(Binary.ADD, x, x, b.empty("y", Spec.f32(4))));
        assertMessage("linearCombination: one coefficient per tensor is required, got 2 for 1",
                assertThrows(IllegalArgumentException.class, () -> b.linearCombination(0, new double[] {1, 2}, x)));
    }

    private static void assertMessage(String expected, Exception e) {
        assertEquals(expected, e.getMessage());
    }

    private float[] slope(Unary f, Tensor x, Tensor dy) {
        Tensor dx = b.empty("dx", x.spec());
        b.unaryBackward(f, x, dy, dx);
        return b.toFloats(dx);
    }

    private Tensor converted(Tensor x, DType to) {
        Tensor y = b.empty("y", x.spec().with(to));
        b.convert(x, y);
        return y;
    }

    private Tensor doubles(String name, double... values) {
        Tensor t = b.empty(name, new Spec(Shape.of(values.length), DType.F64));
        b.upload(MemorySegment.ofArray(values), t);
        return t;
    }

    private double[] toDoubles(Tensor t) {
        double[] values = new double[(int) t.elements()];
        b.download(t, MemorySegment.ofArray(values));
        return values;
    }

    /// Where element i of a tensor of shape `ys` reads an operand that broadcasts to it.
    private static int source(int i, Shape ys, Shape operand) {
        int at = 0;
        int stride = 1;
        int rest = i;
        for (int axis = ys.rank() - 1; axis >= 0; axis--) {
            int own = axis - (ys.rank() - operand.rank());
            if (own >= 0) {
                at += operand.dim(own) == 1 ? 0 : rest % ys.dim(axis) * stride;
                stride *= operand.dim(own);
            }
            rest /= ys.dim(axis);
        }
        return at;
    }

    private static DoubleBinaryOperator operator(Binary f) {
        return switch (f) {
            case ADD -> Double::sum;
            case SUB -> (x, y) -> x - y;
            case MUL -> (x, y) -> x * y;
            case DIV -> (x, y) -> x / y;
            case MAX -> Math::max;
            case MIN -> Math::min;
        };
    }

    private static float[] inputs(Unary f, int n) {
        float[] x = normals(n, 1);
        boolean positive = switch (f.kind()) {
            case LOG, SQRT, POW -> true;
            default -> false;
        };
        for (int i = 0; i < n; i++) {
            x[i] = positive ? Math.abs(x[i]) + 0.01f : 3 * x[i];
        }
        return x;
    }

    private static float[] normals(int n, int seed) {
        Random random = new Random(seed);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static void assertClose(double want, double got, double tolerance, String where) {
        if (!(Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)))) {
            throw new AssertionError(where + ": expected " + want + ", got " + got);
        }
    }
}
