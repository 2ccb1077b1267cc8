package dev.retrograd.cuda.emulator;

import static dev.retrograd.cuda.emulator.Warp.LANES;

import dev.retrograd.core.DType;
import java.util.Set;

/// `cvt` between all scalar types. Source: NVIDIA's PTX ISA, 9.7.9.
final class Conversions {
    /// Half of the last place of tf32's 11 bits of mantissa, in float32's bits.
    private static final int TF32_HALF = 0x1000;
    private static final Set<String> ROUND_TO_INTEGER = Set.of("rni", "rzi", "rmi", "rpi");

    private Conversions() {
    }

    /// The loop over a warp's lanes, or null for a combination that is not known.
    ///
    /// @param modifiers rounding, `sat`, `ftz`
    static Op.Body find(String to, String from, Set<String> modifiers) {
        Op.Body fast = modifiers.isEmpty() || modifiers.equals(Set.of("rn")) ? fast(to + "." + from)
                : modifiers.equals(Set.of("rz")) || modifiers.equals(Set.of("rna")) ? fast(modifiers.iterator().next() + "." + to + "." + from) : null;
        if (fast != null || to.equals("tf32")) {
            return fast;
        }
        String rounding = modifiers.stream().filter(m -> m.startsWith("r")).findFirst().orElse("");
        boolean saturate = modifiers.contains("sat");
        boolean toFloat = PtxTypes.floating(to);
        boolean fromFloat = PtxTypes.floating(from);
        boolean known = modifiers.stream().allMatch(m -> m.equals(rounding) || m.equals("sat") || m.equals("ftz"));
        boolean fits = toFloat ? rounding.isEmpty() || rounding.equals("rn") || fromFloat && ROUND_TO_INTEGER.contains(rounding)
                : fromFloat ? ROUND_TO_INTEGER.contains(rounding) : rounding.isEmpty() && !saturate;
        if (!known || !fits) {
            return null;
        }
        Extension source = Extension.of(from);
        Extension target = Extension.of(to);
        boolean fromWide = source.unused == 0;
        boolean toWide = target.unused == 0;
        boolean fromUnsigned = from.equals("u64");
        return (r, q, d, a, b, c) -> {
            for (int l = 0; l < LANES; l++) {
                long bits = fromWide ? q[a + l] : r[a + l];
                long result;
                if (!fromFloat) {
                    long value = source.extend(bits);
                    result = toFloat ? ofInteger(to, value, fromUnsigned) : target.extend(value);
                } else {
                    double value = roundToInteger(rounding, toDouble(from, bits));
                    result = toFloat ? ofDouble(to, saturate ? clamp(value) : value) : toInteger(to, value);
                }
                if (toWide) {
                    q[d + l] = result;
                } else {
                    r[d + l] = (int) result;
                }
            }
        };
    }

    /// The frequent ones.
    private static Op.Body fast(String name) {
        return switch (name) {
            case "s64.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = r[a + l];
                }
            };
            case "u64.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = r[a + l] & 0xFFFFFFFFL;
                }
            };
            case "u32.u64", "s32.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = (int) q[a + l];
                }
            };
            case "f64.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Double.doubleToRawLongBits(Float.intBitsToFloat(r[a + l]));
                }
            };
            case "f32.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits((float) Double.longBitsToDouble(q[a + l]));
                }
            };
            case "f32.f16" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(Float.float16ToFloat((short) r[a + l]));
                }
            };
            // two values, the first into the high half
            case "f16x2.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToFloat16(Float.intBitsToFloat(r[a + l])) << 16 | Float.floatToFloat16(Float.intBitsToFloat(r[b + l])) & 0xFFFF;
                }
            };
            case "bf16x2.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = DType.floatToBf16(Float.intBitsToFloat(r[a + l])) << 16 | DType.floatToBf16(Float.intBitsToFloat(r[b + l])) & 0xFFFF;
                }
            };
            case "f16.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToFloat16(Float.intBitsToFloat(r[a + l])) & 0xFFFF;
                }
            };
            case "bf16.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = DType.floatToBf16(Float.intBitsToFloat(r[a + l])) & 0xFFFF;
                }
            };
            case "rz.f32.f64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Float.floatToRawIntBits(towardsZero(Double.longBitsToDouble(q[a + l])));
                }
            };
            case "rna.tf32.f32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    float x = Float.intBitsToFloat(r[a + l]);
                    r[d + l] = Float.isFinite(x) ? r[a + l] + TF32_HALF & ~(2 * TF32_HALF - 1) : r[a + l];
                }
            };
            default -> null;
        };
    }

    private static float towardsZero(double value) {
        float f = (float) value;
        return Math.abs((double) f) > Math.abs(value) ? Math.nextAfter(f, 0) : f;
    }

    /// Extends what lies in the low bits, as a type has it: with its sign or with zeros.
    ///
    /// @param unused bits above the type's
    record Extension(int unused, boolean signed) {
        static Extension of(String type) {
            return new Extension(Long.SIZE - Byte.SIZE * PtxTypes.bytes(type), PtxTypes.signed(type));
        }

        long extend(long bits) {
            return signed ? bits << unused >> unused : bits << unused >>> unused;
        }
    }

    private static double toDouble(String type, long bits) {
        return switch (type) {
            case "f16" -> Float.float16ToFloat((short) bits);
            case "bf16" -> DType.bf16ToFloat((short) bits);
            case "f32" -> Float.intBitsToFloat((int) bits);
            default -> Double.longBitsToDouble(bits);
        };
    }

    private static long ofDouble(String type, double value) {
        return switch (type) {
            case "f16" -> Float.floatToFloat16(roundToOdd(value)) & 0xFFFF;
            case "bf16" -> DType.floatToBf16(roundToOdd(value)) & 0xFFFF;
            case "f32" -> Float.floatToRawIntBits((float) value);
            default -> Double.doubleToRawLongBits(value);
        };
    }

    private static long ofInteger(String type, long value, boolean unsigned) {
        if (unsigned && value < 0) {
            double half = (value >>> 1 | value & 1); // the lost bit keeps rounding right
            return type.equals("f32") ? Float.floatToRawIntBits((float) (value >>> 1 | value & 1) * 2) : ofDouble(type, half * 2);
        }
        return type.equals("f32") ? Float.floatToRawIntBits((float) value) : ofDouble(type, value);
    }

    /// A float32 whose last bit tells that something was lost, so that rounding it further rounds the number itself.
    private static float roundToOdd(double value) {
        float f = (float) value;
        if (f == value || Double.isNaN(value) || Float.isInfinite(f)) {
            return f;
        }
        return Float.intBitsToFloat(Float.floatToRawIntBits(towardsZero(value)) | 1);
    }

    private static double roundToInteger(String rounding, double value) {
        return switch (rounding) {
            case "rni" -> Math.rint(value);
            case "rzi" -> value < 0 ? Math.ceil(value) : Math.floor(value);
            case "rmi" -> Math.floor(value);
            case "rpi" -> Math.ceil(value);
            default -> value;
        };
    }

    /// Limited to the type's range; NaN gives 0.
    private static long toInteger(String type, double value) {
        return switch (type) {
            case "s8" -> (long) Math.clamp(value, Byte.MIN_VALUE, Byte.MAX_VALUE);
            case "u8" -> (long) Math.clamp(value, 0, 0xFF);
            case "s16" -> (long) Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE);
            case "u16" -> (long) Math.clamp(value, 0, 0xFFFF);
            case "s32" -> (int) value;
            case "u32" -> (long) Math.clamp(value, 0, 0xFFFFFFFFL);
            case "u64" -> value >= 0x1p64 ? -1 : value >= 0x1p63 ? (long) (value - 0x1p63) + Long.MIN_VALUE : Math.max((long) value, 0);
            default -> (long) value;
        };
    }

    /// To [0,1]; NaN gives 0.
    private static double clamp(double value) {
        return value > 0 ? Math.min(value, 1) : 0;
    }
}
