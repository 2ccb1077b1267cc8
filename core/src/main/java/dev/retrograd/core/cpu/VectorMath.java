package dev.retrograd.core.cpu;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Functions of float vectors to float accuracy, the same bits in every lane, on every run, interpreted or compiled.
///
/// The JDK's own vector `EXP`, `LOG` … and `reduceLanes(ADD)` are not used: they call one library when compiled and another when interpreted,
/// and sum in an order that is not defined, so their last bits depend on when the compiler steps in. For the same reason there are no
/// scalar twins: tails go through masked loads and the same code.
/// Polynomials are minimax fits (weighted for relative error) of this project.
final class VectorMath {
    /// The machine's preferred float vector; tests narrow it with `-Ddev.retrograd.vectorBits=128|256|512`.
    static final VectorSpecies<Float> FLOATS = species();
    /// Doubles of the same width, half as many lanes.
    static final VectorSpecies<Double> DOUBLES = VectorSpecies.of(double.class, FLOATS.vectorShape());
    static final int LANES = FLOATS.length();

    private static final float EXP_LOW = -86.9f;
    private static final float EXP_HIGH = 88.72283f;
    private static final float INV_SQRT_2PI = 0.39894228f;
    /// Where the two forms of tanh meet.
    private static final float TANH_SPLIT = 0.625f;
    /// The bits of √½, from which log counts octaves.
    private static final int SQRT_HALF_BITS = 0x3F3504F3;
    private static final int FRACTION_MASK = 0x007FFFFF;
    private static final int FRACTION_BITS = 23;

    // Constants are vectors: every broadcast inside a loop costs the compiler nodes, and past 18,000 of them it stops inlining and boxes.
    private static final FloatVector ONE = constant(1);
    private static final FloatVector TWO = constant(2);
    private static final FloatVector MINUS_HALF = constant(-0.5f);
    private static final FloatVector LOG2_E = constant(1.44269504f);
    // ln 2 in two parts, the first with so few bits that n times it is exact
    private static final FloatVector LN2_HIGH = constant(0.693145752f);
    private static final FloatVector LN2_LOW = constant(1.42860677e-6f);
    private static final FloatVector MINUS_LN2_HIGH = constant(-0.693145752f);
    private static final FloatVector MINUS_LN2_LOW = constant(-1.42860677e-6f);
    /// Added to a float below 2²², it leaves the nearest integer, plus 126, in the low bits.
    private static final FloatVector ROUNDER = constant(0x1.8p23f + 126);
    // coefficients; the number is the power that they belong to
    private static final FloatVector EXP_3 = constant(0.333330661f);
    private static final FloatVector EXP_4 = constant(0.0833344907f);
    private static final FloatVector EXP_5 = constant(0.0167352408f);
    private static final FloatVector EXP_6 = constant(0.00277269771f);
    private static final FloatVector LOG_3 = constant(0.333333313f);
    private static final FloatVector LOG_4 = constant(-0.250008196f);
    private static final FloatVector LOG_5 = constant(0.200012416f);
    private static final FloatVector LOG_6 = constant(-0.166234091f);
    private static final FloatVector LOG_7 = constant(0.1420158f);
    private static final FloatVector LOG_8 = constant(-0.131596103f);
    private static final FloatVector LOG_9 = constant(0.127622172f);
    private static final FloatVector LOG_10 = constant(-0.0763643906f);
    private static final FloatVector TANH_3 = constant(-0.333332807f);
    private static final FloatVector TANH_5 = constant(0.133314058f);
    private static final FloatVector TANH_7 = constant(-0.0537365153f);
    private static final FloatVector TANH_9 = constant(0.0206281673f);
    private static final FloatVector TANH_11 = constant(-0.00569229666f);
    private static final FloatVector MILLS_1 = constant(0.151427075f);
    private static final FloatVector MILLS_2 = constant(0.194436565f);
    private static final FloatVector MILLS_3 = constant(-0.0166349299f);
    private static final FloatVector MILLS_4 = constant(0.375167638f);
    private static final FloatVector MILLS_5 = constant(-0.258243203f);
    private static final FloatVector MILLS_6 = constant(0.0538468659f);
    private static final FloatVector MILLS_SLOPE = constant(0.39f);
    private static final VectorShuffle<Float>[] FLOAT_HALVES = halves(FLOATS);
    private static final VectorShuffle<Double>[] DOUBLE_HALVES = halves(DOUBLES);

    private VectorMath() {
    }

    private static VectorSpecies<Float> species() {
        Integer bits = Integer.getInteger("dev.retrograd.vectorBits");
        return bits == null ? FloatVector.SPECIES_PREFERRED : VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
    }

    /// Rotations by half the lanes, by a quarter, … by one.
    @SuppressWarnings({"unchecked", "rawtypes"})
    private static <E> VectorShuffle<E>[] halves(VectorSpecies<E> species) {
        int lanes = species.length();
        VectorShuffle[] shuffles = new VectorShuffle[Integer.numberOfTrailingZeros(lanes)];
        for (int i = 0; i < shuffles.length; i++) {
            int by = lanes >> i + 1;
            shuffles[i] = VectorShuffle.fromOp(species, lane -> (lane + by) % lanes);
        }
        return shuffles;
    }

    /// `eˣ`, relative error below 2e-7; 0 below −86.9, infinity above 88.72283.
    static FloatVector exp(FloatVector x) {
        // x = n·ln2 + r; the polynomial is 2·eʳ, scaled by 2ⁿ⁻¹, whose exponent fits even for n = 128
        FloatVector shifted = x.fma(LOG2_E, ROUNDER);
        FloatVector n = shifted.sub(ROUNDER);
        FloatVector r = n.fma(MINUS_LN2_LOW, n.fma(MINUS_LN2_HIGH, x));
        FloatVector p = EXP_6
                .fma(r, EXP_5)
                .fma(r, EXP_4)
                .fma(r, EXP_3)
                .fma(r, ONE)
                .fma(r, TWO)
                .fma(r, TWO);
        FloatVector scale = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, FRACTION_BITS).reinterpretAsFloats();
        return p.mul(scale)
                .blend(0, x.compare(VectorOperators.LT, EXP_LOW))
                .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_HIGH));
    }

    /// Natural logarithm, relative error below 2e-7; −infinity at 0 (and below the smallest normal number), NaN below 0.
    static FloatVector log(FloatVector x) {
        // x = 2ⁿ·m with m within [√½, √2)
        IntVector bits = x.reinterpretAsInts().sub(SQRT_HALF_BITS);
        FloatVector n = (FloatVector) bits.lanewise(VectorOperators.ASHR, FRACTION_BITS).convert(VectorOperators.I2F, 0);
        FloatVector f = bits.and(FRACTION_MASK).add(SQRT_HALF_BITS).reinterpretAsFloats().sub(1);
        FloatVector p = LOG_10
                .fma(f, LOG_9)
                .fma(f, LOG_8)
                .fma(f, LOG_7)
                .fma(f, LOG_6)
                .fma(f, LOG_5)
                .fma(f, LOG_4)
                .fma(f, LOG_3)
                .fma(f, MINUS_HALF);
        FloatVector tail = n.fma(LN2_LOW, p.mul(f).mul(f));
        FloatVector y = n.fma(LN2_HIGH, tail.add(f));
        return y.blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.LT, Float.MIN_NORMAL))
                .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.EQ, Float.POSITIVE_INFINITY))
                .blend(Float.NaN, x.compare(VectorOperators.LT, 0).or(x.compare(VectorOperators.NE, x)));
    }

    /// `1/(1 + e⁻ˣ)`, relative error below 4e-7.
    static FloatVector sigmoid(FloatVector x) {
        return ONE.div(exp(x.neg()).add(1));
    }

    /// Hyperbolic tangent, relative error below 4e-7.
    static FloatVector tanh(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector z = x.mul(x);
        FloatVector small = TANH_11
                .fma(z, TANH_9)
                .fma(z, TANH_7)
                .fma(z, TANH_5)
                .fma(z, TANH_3)
                .mul(z).fma(x, x);
        FloatVector large = ONE.sub(TWO.div(exp(a.add(a)).add(1)));
        return copySign(large, x).blend(small, a.compare(VectorOperators.LT, TANH_SPLIT));
    }

    /// Φ(x), the normal distribution function, absolute error below 2e-7.
    static FloatVector normalCdf(FloatVector x) {
        return normalCdf(x, gauss(x));
    }

    /// `exp(−x²/2)`
    static FloatVector gauss(FloatVector x) {
        return exp(x.mul(x).mul(-0.5f));
    }

    /// Φ(x), from {@link #gauss} of x: Φ(−|x|) is the density times a smooth ratio (Mills'), here a polynomial in `u = 1/(1 + 0.39·|x|)`.
    static FloatVector normalCdf(FloatVector x, FloatVector gauss) {
        FloatVector u = ONE.div(x.abs().fma(MILLS_SLOPE, ONE));
        FloatVector tail = MILLS_6
                .fma(u, MILLS_5)
                .fma(u, MILLS_4)
                .fma(u, MILLS_3)
                .fma(u, MILLS_2)
                .fma(u, MILLS_1)
                .mul(u).mul(gauss);
        return tail.blend(ONE.sub(tail), x.compare(VectorOperators.GT, 0));
    }

    /// `x·sigmoid(x)`
    static FloatVector silu(FloatVector x) {
        return x.mul(sigmoid(x));
    }

    /// The derivative of {@link #silu}: `s·(1 + x·(1 − s))` with `s = sigmoid(x)`.
    static FloatVector siluSlope(FloatVector x) {
        FloatVector s = sigmoid(x);
        return ONE.sub(s).fma(x, ONE).mul(s);
    }

    /// `x·Φ(x)`
    static FloatVector gelu(FloatVector x) {
        return x.mul(normalCdf(x));
    }

    /// The derivative of {@link #gelu}: `Φ(x) + x·φ(x)`.
    static FloatVector geluSlope(FloatVector x) {
        FloatVector gauss = gauss(x);
        return geluSlope(x, gauss, normalCdf(x, gauss));
    }

    /// The derivative of {@link #gelu} at x, from {@link #gauss} and {@link #normalCdf} of x.
    static FloatVector geluSlope(FloatVector x, FloatVector gauss, FloatVector cdf) {
        return gauss.mul(INV_SQRT_2PI).fma(x, cdf);
    }

    /// The sum of all lanes, halves added to halves: a defined order.
    static double sum(DoubleVector v) {
        DoubleVector s = v;
        for (VectorShuffle<Double> half : DOUBLE_HALVES) {
            s = s.add(s.rearrange(half));
        }
        return s.lane(0);
    }

    /// The sum of all lanes, halves added to halves: a defined order.
    static float sum(FloatVector v) {
        FloatVector s = v;
        for (VectorShuffle<Float> half : FLOAT_HALVES) {
            s = s.add(s.rearrange(half));
        }
        return s.lane(0);
    }

    /// Lanes 0 … n−1 of a tail shorter than a vector.
    static VectorMask<Float> firstLanes(int n) {
        return FLOATS.indexInRange(0, n);
    }

    private static FloatVector constant(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }

    private static FloatVector copySign(FloatVector magnitude, FloatVector sign) {
        IntVector signBits = sign.reinterpretAsInts().and(0x80000000);
        return magnitude.reinterpretAsInts().or(signBits).reinterpretAsFloats();
    }
}
