package dev.retrograd.cuda.emulator;

import static dev.retrograd.cuda.emulator.Warp.LANES;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/// Instructions on predicates, on parts of registers, and between the lanes of a warp.
final class LaneOps {
    private LaneOps() {
    }

    /// `setp`: the comparison, perhaps combined with another predicate; the second result is its opposite.
    static final class SetPredicate extends Op {
        private final Test test;
        private final boolean narrow16;
        private final boolean signed;
        private final int d;
        private final int opposite;
        private final int a;
        private final int b;
        private final String combine;
        private final PredicateOperand with;

        /// @param narrow16 whether it compares 16-bit integers, which `signed` extends
        /// @param opposite slot of the second result, or −1
        /// @param combine `and`, `or`, `xor`, or empty
        SetPredicate(Test test, boolean narrow16, boolean signed, int d, int opposite, int a, int b, String combine, PredicateOperand with) {
            this.test = test;
            this.narrow16 = narrow16;
            this.signed = signed;
            this.d = d;
            this.opposite = opposite;
            this.a = a;
            this.b = b;
            this.combine = combine;
            this.with = with;
        }

        @Override void run(Warp w, int mask) {
            int result;
            if (narrow16) {
                Alu16.extend(w, signed, a, b);
                result = test.run(w.r, w.q, LANES, 2 * LANES);
            } else {
                result = test.run(w.r, w.q, a, b);
            }
            int other = combine.isEmpty() ? 0 : with.value(w);
            int inverse = ~result;
            switch (combine) {
                case "and" -> {
                    result &= other;
                    inverse &= other;
                }
                case "or" -> {
                    result |= other;
                    inverse |= other;
                }
                case "xor" -> {
                    result ^= other;
                    inverse ^= other;
                }
                default -> {
                }
            }
            w.p[d] = w.p[d] & ~mask | result & mask;
            if (opposite >= 0) {
                w.p[opposite] = w.p[opposite] & ~mask | inverse & mask;
            }
        }
    }

    /// A predicate or its opposite; slot −1 is a constant.
    record PredicateOperand(int slot, boolean negated) {
        int value(Warp w) {
            int v = slot < 0 ? 0 : w.p[slot];
            return negated ? ~v : v;
        }
    }

    /// Logic on predicates: `and`, `or`, `xor`, `not`, `mov`.
    static final class PredicateLogic extends Op {
        private final String name;
        private final int d;
        private final PredicateOperand a;
        private final PredicateOperand b;

        PredicateLogic(String name, int d, PredicateOperand a, PredicateOperand b) {
            this.name = name;
            this.d = d;
            this.a = a;
            this.b = b;
        }

        @Override void run(Warp w, int mask) {
            int x = a.value(w);
            int y = b.value(w);
            int result = switch (name) {
                case "and" -> x & y;
                case "or" -> x | y;
                case "xor" -> x ^ y;
                case "not" -> ~x;
                default -> x;
            };
            w.p[d] = w.p[d] & ~mask | result & mask;
        }
    }

    /// `bfi`: the second operand with so many bits of the first in place of its own.
    static final class Insert extends Op {
        private final boolean wide;
        private final int d;
        private final int bits;
        private final int into;
        private final int from;
        private final int count;

        Insert(boolean wide, int d, int bits, int into, int from, int count) {
            this.wide = wide;
            this.d = d;
            this.bits = bits;
            this.into = into;
            this.from = from;
            this.count = count;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                int at = w.r[from + l] & 0xFF;
                int width = w.r[count + l] & 0xFF;
                long ones = at > 63 ? 0 : (width > 63 ? -1 : (1L << width) - 1) << at;
                if (wide) {
                    w.q[d + l] = w.q[into + l] & ~ones | w.q[bits + l] << at & ones;
                } else {
                    w.r[d + l] = (int) (w.r[into + l] & ~ones | (long) w.r[bits + l] << at & ones);
                }
            }
        }
    }

    /// `selp`: the first operand where the predicate holds, else the second.
    static final class Select extends Op {
        private final boolean wide;
        private final int d;
        private final int a;
        private final int b;
        private final PredicateOperand p;

        Select(boolean wide, int d, int a, int b, PredicateOperand p) {
            this.wide = wide;
            this.d = d;
            this.a = a;
            this.b = b;
            this.p = p;
        }

        @Override void run(Warp w, int mask) {
            int choice = p.value(w);
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                int from = (choice >>> l & 1) != 0 ? a : b;
                if (wide) {
                    w.q[d + l] = w.q[from + l];
                } else {
                    w.r[d + l] = w.r[from + l];
                }
            }
        }
    }

    /// `mov` of several narrow registers to one that holds them all, lowest first.
    static final class Pack extends Op {
        private final int bits;
        private final boolean wide;
        private final int d;
        private final int[] parts;

        /// @param bits of one part
        Pack(int bits, boolean wide, int d, int... parts) {
            this.bits = bits;
            this.wide = wide;
            this.d = d;
            this.parts = parts;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                long value = 0;
                for (int k = 0; k < parts.length; k++) {
                    value |= (w.r[parts[k] + l] & (1L << bits) - 1) << k * bits;
                }
                if (wide) {
                    w.q[d + l] = value;
                } else {
                    w.r[d + l] = (int) value;
                }
            }
        }
    }

    /// `mov` of one register to several narrow ones.
    static final class Unpack extends Op {
        private final int bits;
        private final boolean wide;
        private final int source;
        private final int[] parts;

        Unpack(int bits, boolean wide, int source, int... parts) {
            this.bits = bits;
            this.wide = wide;
            this.source = source;
            this.parts = parts;
        }

        @Override void run(Warp w, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                long value = wide ? w.q[source + l] : w.r[source + l];
                for (int k = 0; k < parts.length; k++) {
                    w.r[parts[k] + l] = (int) (value >>> k * bits & (1L << bits) - 1);
                }
            }
        }
    }

    /// `shfl.sync`: a value from another lane. Source: NVIDIA's PTX ISA, 9.7.9, shfl.sync.
    static final class Shuffle extends Op {
        enum How {
            UP, DOWN, BFLY, IDX;

            static Optional<How> of(String name) {
                return Arrays.stream(values()).filter(h -> h.name().toLowerCase(Locale.ROOT).equals(name)).findFirst();
            }
        }

        private final How how;
        private final int d;
        private final int valid;
        private final int a;
        private final int b;
        private final int c;
        private final int members;

        /// @param valid slot of the predicate that tells whether the lane lies in range, or −1
        Shuffle(How how, int d, int valid, int a, int b, int c, int members) {
            this.how = how;
            this.d = d;
            this.valid = valid;
            this.a = a;
            this.b = b;
            this.c = c;
            this.members = members;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, w.r[members + Integer.numberOfTrailingZeros(mask)], mask);
            int inRange = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                int distance = w.r[b + l] & 31;
                int segment = w.r[c + l] >>> 8 & 31;
                int clamp = w.r[c + l] & 31;
                int last = l & segment | clamp & ~segment;
                int from = switch (how) {
                    case UP -> l - distance;
                    case DOWN -> l + distance;
                    case BFLY -> l ^ distance;
                    case IDX -> l & segment | distance & ~segment;
                };
                boolean in = how == How.UP ? from >= last : from <= last;
                from = in ? from : l;
                if ((mask >>> from & 1) == 0) {
                    throw w.fault(this, l, "shuffle from lane " + from + ", which does not take part");
                }
                inRange |= in ? 1 << l : 0;
                w.r[l] = w.r[a + from];
            }
            w.blend(false, d, 0, mask);
            if (valid >= 0) {
                w.p[valid] = w.p[valid] & ~mask | inRange;
            }
        }
    }

    /// `vote.sync`: what the lanes' predicates have in common; a ballot goes to a register.
    static final class Vote extends Op {
        private final String how;
        private final int d;
        private final PredicateOperand source;
        private final int members;

        Vote(String how, int d, PredicateOperand source, int members) {
            this.how = how;
            this.d = d;
            this.source = source;
            this.members = members;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, w.r[members + Integer.numberOfTrailingZeros(mask)], mask);
            int votes = source.value(w) & mask;
            boolean result = switch (how) {
                case "any" -> votes != 0;
                case "all" -> votes == mask;
                default -> votes == 0 || votes == mask;
            };
            if (how.equals("ballot")) {
                for (int m = mask; m != 0; m &= m - 1) {
                    w.r[d + Integer.numberOfTrailingZeros(m)] = votes;
                }
            } else {
                w.p[d] = w.p[d] & ~mask | (result ? mask : 0);
            }
        }
    }

    /// `bar.warp.sync`: orders the memory accesses of a warp's lanes.
    static final class WarpBarrier extends Op {
        private final int members;

        WarpBarrier(int members) {
            this.members = members;
        }

        @Override void run(Warp w, int mask) {
            w.requireMembers(this, w.r[members + Integer.numberOfTrailingZeros(mask)], mask);
            w.barriers++;
        }
    }
}
