package dev.retrograd.core.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {

    @Test void expIsAccurateOverItsWholeRange() {
        assertRelative(VectorMath::exp, Math::exp, -86.5f, 88.7f, 2e-7);
        assertRelative(VectorMath::exp, Math::exp, -1, 1, 2e-7);
    }

    @Test void expSaturatesAndKeepsNaN() {
        assertEquals(0, at(VectorMath::exp, -87));
        assertEquals(0, at(VectorMath::exp, Float.NEGATIVE_INFINITY));
        assertEquals(0, at(VectorMath::exp, -3e38f));
        assertEquals(Float.POSITIVE_INFINITY, at(VectorMath::exp, 88.8f));
        assertEquals(Float.POSITIVE_INFINITY, at(VectorMath::exp, Float.POSITIVE_INFINITY));
        assertEquals(1, at(VectorMath::exp, 0));
        assertEquals(Float.NaN, at(VectorMath::exp, Float.NaN));
        assertEquals(Float.NaN, at(VectorMath::exp, Float.intBitsToFloat(-1)));
    }

    @Test void logIsAccurate() {
        assertRelative(VectorMath::log, Math::log, 1.2e-38f, 1e-30f, 2e-7);
        assertRelative(VectorMath::log, Math::log, 1e-3f, 3, 2e-7);
        assertRelative(VectorMath::log, Math::log, 1, 1e30f, 2e-7);
    }

    @Test void logOfSpecialValues() {
        assertEquals(0, at(VectorMath::log, 1));
        assertEquals(Float.NEGATIVE_INFINITY, at(VectorMath::log, 0));
        assertEquals(Float.POSITIVE_INFINITY, at(VectorMath::log, Float.POSITIVE_INFINITY));
        assertEquals(Float.NaN, at(VectorMath::log, -1));
        assertEquals(Float.NaN, at(VectorMath::log, Float.NaN));
    }

    @Test void sigmoidAndTanhAreAccurateAndSaturate() {
        assertRelative(VectorMath::sigmoid, x -> 1 / (1 + Math.exp(-x)), -80, 40, 4e-7);
        assertRelative(VectorMath::tanh, Math::tanh, -10, 10, 4e-7);
        assertRelative(VectorMath::tanh, Math::tanh, -1e-3f, 1e-3f, 4e-7);
        assertEquals(0, at(VectorMath::sigmoid, -200));
        assertEquals(1, at(VectorMath::sigmoid, 200));
        assertEquals(-1, at(VectorMath::tanh, -200));
        assertEquals(1, at(VectorMath::tanh, Float.POSITIVE_INFINITY));
        assertEquals(Float.NaN, at(VectorMath::tanh, Float.NaN));
    }

    @Test void normalCdfIsAccurateAndSaturates() {
        assertAbsolute(VectorMath::normalCdf, VectorMathTest::cdf, -8, 8, 2e-7);
        assertEquals(1, at(VectorMath::normalCdf, 50));
        assertEquals(0, at(VectorMath::normalCdf, Float.NEGATIVE_INFINITY));
        assertEquals(Float.NaN, at(VectorMath::normalCdf, Float.NaN));
    }

    @Test void siluAndGeluFollowTheirFormulas() {
        DoubleUnaryOperator sigmoid = x -> 1 / (1 + Math.exp(-x));
        assertAbsolute(VectorMath::silu, x -> x * sigmoid.applyAsDouble(x), -20, 8, 1e-6);
        assertAbsolute(VectorMath::siluSlope,
                x -> sigmoid.applyAsDouble(x) * (1 + x * (1 - sigmoid.applyAsDouble(x))), -20, 20, 1e-6);
        assertAbsolute(VectorMath::gelu, x -> x * cdf(x), -20, 8, 1e-6);
        assertAbsolute(VectorMath::geluSlope,
                x -> cdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI), -20, 20, 1e-6);
        assertTrue(Math.abs(at(VectorMath::siluSlope, -1000)) == 0, "a saturated slope is 0, not NaN");
    }

    @Test void lanesAreSummedInHalves() {
        float[] values = new float[VectorMath.LANES];
        double[] wide = new double[VectorMath.DOUBLES.length()];
        Random random = new Random(3);
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(1000);
        }
        for (int i = 0; i < wide.length; i++) {
            wide[i] = random.nextInt(1000);
        }
        float expected = 0;
        for (float v : values) {
            expected += v;
        }
        double wideExpected = 0;
        for (double v : wide) {
            wideExpected += v;
        }
        assertEquals(expected, VectorMath.sum(FloatVector.fromArray(VectorMath.FLOATS, values, 0)));
        assertEquals(wideExpected, VectorMath.sum(DoubleVector.fromArray(VectorMath.DOUBLES, wide, 0)));
    }

    private static double cdf(double x) {
        double tail = UnaryScalars.erfc(Math.abs(x) * Math.sqrt(0.5)) / 2;
        return x > 0 ? 1 - tail : tail;
    }

    private static float at(UnaryOperator<FloatVector> f, float x) {
        return f.apply(FloatVector.broadcast(VectorMath.FLOATS, x)).lane(0);
    }

    private static void assertRelative(UnaryOperator<FloatVector> f, DoubleUnaryOperator exact, float low, float high, double tolerance) {
        assertClose(f, exact, low, high, tolerance, true);
    }

    private static void assertAbsolute(UnaryOperator<FloatVector> f, DoubleUnaryOperator exact, float low, float high, double tolerance) {
        assertClose(f, exact, low, high, tolerance, false);
    }

    private static void assertClose(UnaryOperator<FloatVector> f, DoubleUnaryOperator exact, float low, float high, double tolerance, boolean relative) {
        Random random = new Random(5);
        float[] in = new float[VectorMath.LANES];
        float[] out = new float[VectorMath.LANES];
        for (int round = 0; round < 5000; round++) {
            for (int i = 0; i < in.length; i++) {
                in[i] = random.nextFloat(low, high);
            }
            f.apply(FloatVector.fromArray(VectorMath.FLOATS, in, 0)).intoArray(out, 0);
            for (int i = 0; i < in.length; i++) {
                double want = exact.applyAsDouble(in[i]);
                double error = Math.abs(out[i] - want) / (relative ? Math.abs(want) : 1);
                assertTrue(error <= tolerance, "at " + in[i] + ": " + out[i] + ", not " + want + ", error " + error);
            }
        }
    }
}
