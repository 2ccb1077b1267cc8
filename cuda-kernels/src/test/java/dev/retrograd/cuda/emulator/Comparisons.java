package dev.retrograd.cuda.emulator;

import static dev.retrograd.cuda.emulator.Warp.LANES;

/// Comparisons. With a NaN the plain ones are false, and those ending in `u` true. Source: NVIDIA's PTX ISA, 9.3.
final class Comparisons {
    private Comparisons() {
    }

    /// The loop over a warp's lanes for a comparison and type such as `lt.s32`, or null.
    static Op.Test find(String name) {
        return switch (name) {
            case "lt.s32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] < r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "lt.s64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] < q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "lt.u32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Integer.compareUnsigned(r[a + l], r[b + l]) < 0 ? 1 << l : 0;
                }
                return result;
            };
            case "lt.u64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Long.compareUnsigned(q[a + l], q[b + l]) < 0 ? 1 << l : 0;
                }
                return result;
            };
            case "lt.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) < Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "lt.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) < Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "ltu.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Float.intBitsToFloat(r[a + l]) >= Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "ltu.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Double.longBitsToDouble(q[a + l]) >= Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "le.s32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] <= r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "le.s64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] <= q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "le.u32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Integer.compareUnsigned(r[a + l], r[b + l]) <= 0 ? 1 << l : 0;
                }
                return result;
            };
            case "le.u64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Long.compareUnsigned(q[a + l], q[b + l]) <= 0 ? 1 << l : 0;
                }
                return result;
            };
            case "le.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) <= Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "le.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) <= Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "leu.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Float.intBitsToFloat(r[a + l]) > Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "leu.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Double.longBitsToDouble(q[a + l]) > Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "gt.s32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] > r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "gt.s64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] > q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "gt.u32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Integer.compareUnsigned(r[a + l], r[b + l]) > 0 ? 1 << l : 0;
                }
                return result;
            };
            case "gt.u64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Long.compareUnsigned(q[a + l], q[b + l]) > 0 ? 1 << l : 0;
                }
                return result;
            };
            case "gt.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) > Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "gt.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) > Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "gtu.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Float.intBitsToFloat(r[a + l]) <= Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "gtu.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Double.longBitsToDouble(q[a + l]) <= Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "ge.s32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] >= r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "ge.s64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] >= q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "ge.u32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Integer.compareUnsigned(r[a + l], r[b + l]) >= 0 ? 1 << l : 0;
                }
                return result;
            };
            case "ge.u64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Long.compareUnsigned(q[a + l], q[b + l]) >= 0 ? 1 << l : 0;
                }
                return result;
            };
            case "ge.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) >= Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "ge.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) >= Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "geu.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Float.intBitsToFloat(r[a + l]) < Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "geu.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Double.longBitsToDouble(q[a + l]) < Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "eq.s32", "eq.u32", "eq.b32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] == r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "eq.s64", "eq.u64", "eq.b64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] == q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "eq.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) == Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "eq.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) == Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "equ.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Float.intBitsToFloat(r[a + l]) < Float.intBitsToFloat(r[b + l]) || Float.intBitsToFloat(r[a + l]) > Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "equ.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !(Double.longBitsToDouble(q[a + l]) < Double.longBitsToDouble(q[b + l]) || Double.longBitsToDouble(q[a + l]) > Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "ne.s32", "ne.u32", "ne.b32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= r[a + l] != r[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "ne.s64", "ne.u64", "ne.b64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= q[a + l] != q[b + l] ? 1 << l : 0;
                }
                return result;
            };
            case "ne.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) < Float.intBitsToFloat(r[b + l]) || Float.intBitsToFloat(r[a + l]) > Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "ne.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) < Double.longBitsToDouble(q[b + l]) || Double.longBitsToDouble(q[a + l]) > Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "neu.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.intBitsToFloat(r[a + l]) != Float.intBitsToFloat(r[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "neu.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.longBitsToDouble(q[a + l]) != Double.longBitsToDouble(q[b + l]) ? 1 << l : 0;
                }
                return result;
            };
            case "num.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !Float.isNaN(Float.intBitsToFloat(r[a + l])) && !Float.isNaN(Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "nan.f32" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Float.isNaN(Float.intBitsToFloat(r[a + l])) || Float.isNaN(Float.intBitsToFloat(r[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "num.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= !Double.isNaN(Double.longBitsToDouble(q[a + l])) && !Double.isNaN(Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            case "nan.f64" -> (r, q, a, b) -> {
                int result = 0;
                for (int l = 0; l < LANES; l++) {
                    result |= Double.isNaN(Double.longBitsToDouble(q[a + l])) || Double.isNaN(Double.longBitsToDouble(q[b + l])) ? 1 << l : 0;
                }
                return result;
            };
            default -> null;
        };
    }
}
