package dev.retrograd.cuda.emulator;

import static dev.retrograd.cuda.emulator.Warp.LANES;

/// Integer and bit instructions of 32 and 64 bits. Source: NVIDIA's PTX ISA, 9.7.1 and 9.7.8. Division by zero gives all ones, as GPUs do.
final class IntegerOps {
    private IntegerOps() {
    }

    /// The loop over a warp's lanes for an instruction's name without rounding to nearest, or null.
    static Op.Body find(String name) {
        return switch (name) {
            case "add.s32", "add.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] + r[b + l];
                }
            };
            case "sub.s32", "sub.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] - r[b + l];
                }
            };
            case "mul.lo.s32", "mul.lo.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] * r[b + l];
                }
            };
            case "mad.lo.s32", "mad.lo.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] * r[b + l] + r[c + l];
                }
            };
            case "mul.hi.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = (int) ((long) r[a + l] * r[b + l] >> 32);
                }
            };
            case "mul.hi.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = (int) ((r[a + l] & 0xFFFFFFFFL) * (r[b + l] & 0xFFFFFFFFL) >>> 32);
                }
            };
            case "div.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[b + l] == 0 ? -1 : r[a + l] / r[b + l];
                }
            };
            case "div.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[b + l] == 0 ? -1 : Integer.divideUnsigned(r[a + l], r[b + l]);
                }
            };
            case "rem.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[b + l] == 0 ? r[a + l] : r[a + l] % r[b + l];
                }
            };
            case "rem.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[b + l] == 0 ? r[a + l] : Integer.remainderUnsigned(r[a + l], r[b + l]);
                }
            };
            case "min.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Math.min(r[a + l], r[b + l]);
                }
            };
            case "max.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Math.max(r[a + l], r[b + l]);
                }
            };
            case "min.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.compareUnsigned(r[a + l], r[b + l]) < 0 ? r[a + l] : r[b + l];
                }
            };
            case "max.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.compareUnsigned(r[a + l], r[b + l]) > 0 ? r[a + l] : r[b + l];
                }
            };
            case "neg.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = -r[a + l];
                }
            };
            case "abs.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Math.abs(r[a + l]);
                }
            };
            case "and.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] & r[b + l];
                }
            };
            case "or.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] | r[b + l];
                }
            };
            case "xor.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] ^ r[b + l];
                }
            };
            case "not.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = ~r[a + l];
                }
            };
            case "shl.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.compareUnsigned(r[b + l], 31) > 0 ? 0 : r[a + l] << r[b + l];
                }
            };
            case "shr.b32", "shr.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.compareUnsigned(r[b + l], 31) > 0 ? 0 : r[a + l] >>> r[b + l];
                }
            };
            case "shr.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l] >> (Integer.compareUnsigned(r[b + l], 31) > 0 ? 31 : r[b + l]);
                }
            };
            case "shf.l.wrap.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = (int) (((long) r[b + l] << 32 | (r[a + l] & 0xFFFFFFFFL)) << (r[c + l] & 31) >>> 32);
                }
            };
            case "shf.r.wrap.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = (int) (((long) r[b + l] << 32 | (r[a + l] & 0xFFFFFFFFL)) >>> (r[c + l] & 31));
                }
            };
            case "popc.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.bitCount(r[a + l]);
                }
            };
            case "clz.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.numberOfLeadingZeros(r[a + l]);
                }
            };
            case "brev.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = Integer.reverse(r[a + l]);
                }
            };
            case "prmt.b32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = permute(r[a + l], r[b + l], r[c + l]);
                }
            };
            case "bfe.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = extract(r[a + l], r[b + l] & 0xFF, r[c + l] & 0xFF);
                }
            };
            case "mul.wide.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = (long) r[a + l] * r[b + l];
                }
            };
            case "mul.wide.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = (r[a + l] & 0xFFFFFFFFL) * (r[b + l] & 0xFFFFFFFFL);
                }
            };
            case "mad.wide.s32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = (long) r[a + l] * r[b + l] + q[c + l];
                }
            };
            case "mad.wide.u32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = (r[a + l] & 0xFFFFFFFFL) * (r[b + l] & 0xFFFFFFFFL) + q[c + l];
                }
            };
            case "add.s64", "add.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] + q[b + l];
                }
            };
            case "sub.s64", "sub.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] - q[b + l];
                }
            };
            case "mul.lo.s64", "mul.lo.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] * q[b + l];
                }
            };
            case "mad.lo.s64", "mad.lo.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] * q[b + l] + q[c + l];
                }
            };
            case "mul.hi.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Math.multiplyHigh(q[a + l], q[b + l]);
                }
            };
            case "mul.hi.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Math.unsignedMultiplyHigh(q[a + l], q[b + l]);
                }
            };
            case "div.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[b + l] == 0 ? -1 : q[a + l] / q[b + l];
                }
            };
            case "div.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[b + l] == 0 ? -1 : Long.divideUnsigned(q[a + l], q[b + l]);
                }
            };
            case "rem.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[b + l] == 0 ? q[a + l] : q[a + l] % q[b + l];
                }
            };
            case "rem.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[b + l] == 0 ? q[a + l] : Long.remainderUnsigned(q[a + l], q[b + l]);
                }
            };
            case "min.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Math.min(q[a + l], q[b + l]);
                }
            };
            case "max.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Math.max(q[a + l], q[b + l]);
                }
            };
            case "min.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Long.compareUnsigned(q[a + l], q[b + l]) < 0 ? q[a + l] : q[b + l];
                }
            };
            case "max.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Long.compareUnsigned(q[a + l], q[b + l]) > 0 ? q[a + l] : q[b + l];
                }
            };
            case "neg.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = -q[a + l];
                }
            };
            case "abs.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Math.abs(q[a + l]);
                }
            };
            case "and.b64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] & q[b + l];
                }
            };
            case "or.b64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] | q[b + l];
                }
            };
            case "xor.b64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] ^ q[b + l];
                }
            };
            case "not.b64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = ~q[a + l];
                }
            };
            case "shl.b64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Integer.compareUnsigned(r[b + l], 63) > 0 ? 0 : q[a + l] << r[b + l];
                }
            };
            case "shr.b64", "shr.u64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = Integer.compareUnsigned(r[b + l], 63) > 0 ? 0 : q[a + l] >>> r[b + l];
                }
            };
            case "shr.s64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l] >> (Integer.compareUnsigned(r[b + l], 63) > 0 ? 63 : r[b + l]);
                }
            };
            case "mov.32" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    r[d + l] = r[a + l];
                }
            };
            case "mov.64" -> (r, q, d, a, b, c) -> {
                for (int l = 0; l < LANES; l++) {
                    q[d + l] = q[a + l];
                }
            };
            default -> null;
        };
    }

    /// Four bytes chosen from the eight of two words; a selector's high bit repeats the byte's sign.
    private static int permute(int low, int high, int selectors) {
        long bytes = (long) high << 32 | low & 0xFFFFFFFFL;
        int result = 0;
        for (int i = 0; i < 4; i++) {
            int selector = selectors >>> 4 * i & 0xF;
            int value = (int) (bytes >>> 8 * (selector & 7)) & 0xFF;
            result |= ((selector & 8) == 0 ? value : (byte) value >> 7 & 0xFF) << 8 * i;
        }
        return result;
    }

    private static int extract(int value, int from, int count) {
        return from > 31 ? 0 : count > 31 ? value >>> from : value >>> from & (1 << count) - 1;
    }
}
