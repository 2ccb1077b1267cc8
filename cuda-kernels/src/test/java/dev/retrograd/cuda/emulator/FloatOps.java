package dev.retrograd.cuda.emulator;

import static dev.retrograd.cuda.emulator.Warp.LANES;

/// Floating-point instructions. Approximations give the value rounded to float32, whose error is below theirs. Source: NVIDIA's PTX ISA, 9.7.3.
final class FloatOps {
    private static final double LN_2 = Math.log(2);

    private FloatOps() {
    }

    /// The loop over a warp's lanes for an instruction's name without rounding to nearest, or null.
    static Op.Body find(String name) {
        return switch (name) {
            case "add.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.intBitsToFloat(r[a + l]) + Float.intBitsToFloat(r[b + l]));
                }
            };
            case "add.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Double.longBitsToDouble(q[a + l]) + Double.longBitsToDouble(q[b + l]));
                }
            };
            case "sub.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.intBitsToFloat(r[a + l]) - Float.intBitsToFloat(r[b + l]));
                }
            };
            case "sub.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Double.longBitsToDouble(q[a + l]) - Double.longBitsToDouble(q[b + l]));
                }
            };
            case "mul.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.intBitsToFloat(r[a + l]) * Float.intBitsToFloat(r[b + l]));
                }
            };
            case "mul.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Double.longBitsToDouble(q[a + l]) * Double.longBitsToDouble(q[b + l]));
                }
            };
            case "div.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.intBitsToFloat(r[a + l]) / Float.intBitsToFloat(r[b + l]));
                }
            };
            case "div.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Double.longBitsToDouble(q[a + l]) / Double.longBitsToDouble(q[b + l]));
                }
            };
            case "fma.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Math.fma(Float.intBitsToFloat(r[a + l]), Float.intBitsToFloat(r[b + l]), Float.intBitsToFloat(r[c + l])));
                }
            };
            case "fma.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Math.fma(Double.longBitsToDouble(q[a + l]), Double.longBitsToDouble(q[b + l]), Double.longBitsToDouble(q[c + l])));
                }
            };
            case "fma.rm.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(fmaDown(Float.intBitsToFloat(r[a + l]), Float.intBitsToFloat(r[b + l]), Float.intBitsToFloat(r[c + l])));
                }
            };
            case "min.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(min(Float.intBitsToFloat(r[a + l]), Float.intBitsToFloat(r[b + l])));
                }
            };
            case "min.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(min(Double.longBitsToDouble(q[a + l]), Double.longBitsToDouble(q[b + l])));
                }
            };
            case "max.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(-min(-Float.intBitsToFloat(r[a + l]), -Float.intBitsToFloat(r[b + l])));
                }
            };
            case "max.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(-min(-Double.longBitsToDouble(q[a + l]), -Double.longBitsToDouble(q[b + l])));
                }
            };
            case "min.NaN.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Math.min(Float.intBitsToFloat(r[a + l]), Float.intBitsToFloat(r[b + l])));
                }
            };
            case "max.NaN.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Math.max(Float.intBitsToFloat(r[a + l]), Float.intBitsToFloat(r[b + l])));
                }
            };
            case "neg.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] ^ 0x80000000;
                }
            };
            case "neg.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] ^ Long.MIN_VALUE;
                }
            };
            case "abs.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] & 0x7FFFFFFF;
                }
            };
            case "abs.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] & Long.MAX_VALUE;
                }
            };
            case "copysign.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[b + l] & 0x7FFFFFFF | r[a + l] & 0x80000000;
                }
            };
            case "copysign.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[b + l] & Long.MAX_VALUE | q[a + l] & Long.MIN_VALUE;
                }
            };
            case "sqrt.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) Math.sqrt(Float.intBitsToFloat(r[a + l])));
                }
            };
            case "sqrt.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Math.sqrt(Double.longBitsToDouble(q[a + l])));
                }
            };
            case "rcp.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(1 / Float.intBitsToFloat(r[a + l]));
                }
            };
            case "rcp.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(1 / Double.longBitsToDouble(q[a + l]));
                }
            };
            case "div.full.f32", "div.approx.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.intBitsToFloat(r[a + l]) / Float.intBitsToFloat(r[b + l]));
                }
            };
            case "rcp.approx.f32", "rcp.approx.ftz.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(1 / Float.intBitsToFloat(r[a + l]));
                }
            };
            case "sqrt.approx.f32", "sqrt.approx.ftz.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) Math.sqrt(Float.intBitsToFloat(r[a + l])));
                }
            };
            case "rsqrt.approx.f32", "rsqrt.approx.ftz.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) (1 / Math.sqrt(Float.intBitsToFloat(r[a + l]))));
                }
            };
            case "ex2.approx.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) Math.exp(Float.intBitsToFloat(r[a + l]) * LN_2));
                }
            };
            case "ex2.approx.ftz.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(flush((float) Math.exp(flush(Float.intBitsToFloat(r[a + l])) * LN_2)));
                }
            };
            case "lg2.approx.f32", "lg2.approx.ftz.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) (Math.log(Float.intBitsToFloat(r[a + l])) / LN_2));
                }
            };
            case "tanh.approx.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) Math.tanh(Float.intBitsToFloat(r[a + l])));
                }
            };
            case "rcp.approx.ftz.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(1 / Double.longBitsToDouble(q[a + l])) & 0xFFFFFFFF00000000L;
                }
            };
            default -> null;
        };
    }

    /// The smaller one; of a NaN and a number, the number.
    private static float min(float a, float b) {
        return Float.isNaN(a) ? b : Float.isNaN(b) ? a : Math.min(a, b);
    }

    private static double min(double a, double b) {
        return Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.min(a, b);
    }

    /// Zero in place of a subnormal number.
    private static float flush(float x) {
        return Math.abs(x) < Float.MIN_NORMAL ? x * 0 : x;
    }

    /// `a·b + c` rounded towards −∞: the product is exact in float64, and so is the sum of the two terms of the sum.
    private static float fmaDown(float a, float b, float c) {
        double product = (double) a * b;
        double sum = product + c;
        double part = sum - product;
        double error = product - (sum - part) + (c - part);
        float rounded = (float) sum;
        return rounded > sum || rounded == sum && error < 0 ? Math.nextDown(rounded) : rounded;
    }
}
