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

    private static final float LOG2_E = 1.44269504f;
    /// ln 2 in two parts, so that `x − n·ln 2` is exact in the first.
    private static final float LN2_HIGH = 0.693145752f;
    private static final float LN2_LOW = 1.42860677e-6f;
    /// Added to a float below 2²², it leaves the nearest integer, plus 126, in the low bits.
    private static final float ROUNDER = 0x1.8p23f + 126;
    private static final float EXP_LOW = -86.9f;
    private static final float EXP_HIGH = 88.72283f;
    private static final float ERF_SPLIT = 0.84f;
    /// Where 1 − erf is below a float's resolution at 1.
    private static final float ERF_END = 4.1f;
    private static final float SQRT_HALF = 0.70710678f;
    private static final float INV_SQRT_2PI = 0.39894228f;

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
        FloatVector shifted = x.fma(broadcast(LOG2_E), broadcast(ROUNDER));
        FloatVector n = shifted.sub(ROUNDER);
        FloatVector r = n.fma(broadcast(-LN2_LOW), n.fma(broadcast(-LN2_HIGH), x));
        FloatVector p = broadcast(0.00277269771f)
                .fma(r, broadcast(0.0167352408f))
                .fma(r, broadcast(0.0833344907f))
                .fma(r, broadcast(0.333330661f))
                .fma(r, broadcast(1))
                .fma(r, broadcast(2))
                .fma(r, broadcast(2));
        FloatVector scale = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
        return p.mul(scale)
                .blend(0, x.compare(VectorOperators.LT, EXP_LOW))
                .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_HIGH));
    }

    /// Natural logarithm, relative error below 2e-7; −infinity at 0 (and below the smallest normal number), NaN below 0.
    static FloatVector log(FloatVector x) {
        // x = 2ⁿ·m with m within [√½, √2); 0x3F3504F3 are the bits of √½
        IntVector bits = x.reinterpretAsInts().sub(0x3F3504F3);
        FloatVector n = (FloatVector) bits.lanewise(VectorOperators.ASHR, 23).convert(VectorOperators.I2F, 0);
        FloatVector f = bits.and(0x007FFFFF).add(0x3F3504F3).reinterpretAsFloats().sub(1);
        FloatVector p = broadcast(-0.0763643906f)
                .fma(f, broadcast(0.127622172f))
                .fma(f, broadcast(-0.131596103f))
                .fma(f, broadcast(0.1420158f))
                .fma(f, broadcast(-0.166234091f))
                .fma(f, broadcast(0.200012416f))
                .fma(f, broadcast(-0.250008196f))
                .fma(f, broadcast(0.333333313f))
                .fma(f, broadcast(-0.5f));
        FloatVector tail = n.fma(broadcast(LN2_LOW), p.mul(f).mul(f));
        FloatVector y = n.fma(broadcast(LN2_HIGH), tail.add(f));
        return y.blend(Float.NEGATIVE_INFINITY, x.compare(VectorOperators.LT, Float.MIN_NORMAL))
                .blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.EQ, Float.POSITIVE_INFINITY))
                .blend(Float.NaN, x.compare(VectorOperators.LT, 0).or(x.compare(VectorOperators.NE, x)));
    }

    /// `1/(1 + e⁻ˣ)`, relative error below 4e-7.
    static FloatVector sigmoid(FloatVector x) {
        return broadcast(1).div(exp(x.neg()).add(1));
    }

    /// Hyperbolic tangent, relative error below 4e-7.
    static FloatVector tanh(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector z = x.mul(x);
        FloatVector small = broadcast(-0.00569229666f)
                .fma(z, broadcast(0.0206281673f))
                .fma(z, broadcast(-0.0537365153f))
                .fma(z, broadcast(0.133314058f))
                .fma(z, broadcast(-0.333332807f))
                .mul(z).fma(x, x);
        FloatVector large = broadcast(1).sub(broadcast(2).div(exp(a.add(a)).add(1)));
        return copySign(large, x).blend(small, a.compare(VectorOperators.LT, 0.625f));
    }

    /// The error function, absolute error below 1e-7.
    static FloatVector erf(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector large = copySign(broadcast(1).sub(erfcFar(a)), x);
        return large.blend(erfNear(x), a.compare(VectorOperators.LT, ERF_SPLIT));
    }

    /// Φ(x), the normal distribution function, absolute error below 1e-7.
    static FloatVector normalCdf(FloatVector x) {
        FloatVector u = x.mul(SQRT_HALF);
        FloatVector a = u.abs();
        FloatVector tail = erfcFar(a).mul(0.5f);
        FloatVector large = tail.blend(broadcast(1).sub(tail), u.compare(VectorOperators.GT, 0));
        FloatVector small = erfNear(u).fma(broadcast(0.5f), broadcast(0.5f));
        return large.blend(small, a.compare(VectorOperators.LT, ERF_SPLIT));
    }

    /// erf(x) for |x| below {@link #ERF_SPLIT}: odd powers.
    private static FloatVector erfNear(FloatVector x) {
        FloatVector z = x.mul(x);
        return broadcast(-0.000494758715f)
                .fma(z, broadcast(0.00480339304f))
                .fma(z, broadcast(-0.0266454611f))
                .fma(z, broadcast(0.112786494f))
                .fma(z, broadcast(-0.376122028f))
                .fma(z, broadcast(1.12837911f))
                .mul(x);
    }

    /// 1 − erf(a) for a from {@link #ERF_SPLIT} on, as e to a polynomial; 0 beyond its end.
    private static FloatVector erfcFar(FloatVector a) {
        FloatVector p = broadcast(0.000204555865f)
                .fma(a, broadcast(-0.00312642171f))
                .fma(a, broadcast(0.022552941f))
                .fma(a, broadcast(-0.104595549f))
                .fma(a, broadcast(-0.636440575f))
                .fma(a, broadcast(-1.12810683f))
                .fma(a, broadcast(-9.3640534e-05f));
        return exp(p).blend(0, a.compare(VectorOperators.GT, ERF_END));
    }

    /// `x·sigmoid(x)`
    static FloatVector silu(FloatVector x) {
        return x.mul(sigmoid(x));
    }

    /// The derivative of {@link #silu}: `s·(1 + x·(1 − s))` with `s = sigmoid(x)`.
    static FloatVector siluSlope(FloatVector x) {
        FloatVector s = sigmoid(x);
        return broadcast(1).sub(s).fma(x, broadcast(1)).mul(s);
    }

    /// `x·Φ(x)`
    static FloatVector gelu(FloatVector x) {
        return x.mul(normalCdf(x));
    }

    /// The derivative of {@link #gelu}: `Φ(x) + x·φ(x)`.
    static FloatVector geluSlope(FloatVector x) {
        FloatVector density = exp(x.mul(x).mul(-0.5f)).mul(INV_SQRT_2PI);
        return x.fma(density, normalCdf(x));
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

    private static FloatVector broadcast(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }

    private static FloatVector copySign(FloatVector magnitude, FloatVector sign) {
        IntVector signBits = sign.reinterpretAsInts().and(0x80000000);
        return magnitude.reinterpretAsInts().or(signBits).reinterpretAsFloats();
    }
}
