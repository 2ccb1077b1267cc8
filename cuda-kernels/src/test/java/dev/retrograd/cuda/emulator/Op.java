package dev.retrograd.cuda.emulator;

/// One decoded instruction, run for the lanes of a warp that are in a mask.
abstract class Op {
    /// No guard
    static final int ALWAYS = -1;

    int line;
    /// whether the warp itself takes it: branches, exits, barriers
    final boolean control;
    /// slot of the predicate that guards it
    int guard = ALWAYS;
    boolean negated;

    Op() {
        control = this instanceof Branch || this instanceof Exit || this instanceof Barrier || this instanceof Mbarriers.TryWait;
    }

    abstract void run(Warp w, int mask);

    /// Goes on elsewhere.
    static final class Branch extends Op {
        final String label;
        int target;

        Branch(String label) {
            this.label = label;
        }

        @Override void run(Warp w, int mask) {
            throw new IllegalStateException("a branch is taken by the warp itself");
        }
    }

    /// The thread ends.
    static final class Exit extends Op {
        @Override void run(Warp w, int mask) {
            throw new IllegalStateException("an exit is taken by the warp itself");
        }
    }

    /// All threads of the block wait for each other.
    static class Barrier extends Op {
        /// Which barrier the first lane waits at.
        int id(Warp w) {
            return 0;
        }

        /// How many threads wait for each other.
        int threads(Warp w) {
            return w.block.threads();
        }

        @Override void run(Warp w, int mask) {
            throw new IllegalStateException("a barrier is taken by the warp itself");
        }
    }

    /// Some threads of the block, whole warps of them, wait for each other.
    static final class PartialBarrier extends Barrier implements Asynchronous {
        private final int id;
        private final int threads;

        /// @param id slot of the barrier's number
        /// @param threads slot of how many wait
        PartialBarrier(int id, int threads) {
            this.id = id;
            this.threads = threads;
        }

        @Override int id(Warp w) {
            return w.r[id];
        }

        @Override int threads(Warp w) {
            return w.r[threads];
        }
    }

    /// Nothing that a functional simulator needs to do: fences, prefetches.
    static final class Nothing extends Op {
        @Override void run(Warp w, int mask) {
        }
    }

    /// Computes all lanes of a result from up to three operands; slots index the register files.
    @FunctionalInterface
    interface Body {
        void run(int[] r, long[] q, int d, int a, int b, int c);
    }

    /// Compares all lanes; bit l of the answer is lane l's.
    @FunctionalInterface
    interface Test {
        int run(int[] r, long[] q, int a, int b);
    }

    /// Arithmetic. With some lanes masked off the result goes through slot 0, which no register has.
    static final class Alu extends Op {
        private final Body body;
        private final boolean wide;
        private final int d;
        private final int a;
        private final int b;
        private final int c;

        Alu(Body body, boolean wide, int d, int... operands) {
            this.body = body;
            this.wide = wide;
            this.d = d;
            a = operands.length > 0 ? operands[0] : 0;
            b = operands.length > 1 ? operands[1] : 0;
            c = operands.length > 2 ? operands[2] : 0;
        }

        @Override void run(Warp w, int mask) {
            if (mask == Warp.ALL) {
                body.run(w.r, w.q, d, a, b, c);
            } else {
                body.run(w.r, w.q, 0, a, b, c);
                w.blend(wide, d, 0, mask);
            }
        }
    }

    /// 16-bit integer arithmetic: 32-bit arithmetic on extended operands, which lie in slots 1 to 3 meanwhile.
    static final class Alu16 extends Op {
        private final Body body;
        private final boolean signed;
        private final int d;
        private final int[] operands;

        Alu16(Body body, boolean signed, int d, int... operands) {
            this.body = body;
            this.signed = signed;
            this.d = d;
            this.operands = operands;
        }

        @Override void run(Warp w, int mask) {
            extend(w, signed, operands);
            body.run(w.r, w.q, 0, Warp.LANES, 2 * Warp.LANES, 3 * Warp.LANES);
            w.blend(false, d, 0, mask);
        }

        static void extend(Warp w, boolean signed, int... operands) {
            for (int i = 0; i < operands.length; i++) {
                int to = (i + 1) * Warp.LANES;
                for (int l = 0; l < Warp.LANES; l++) {
                    int v = w.r[operands[i] + l];
                    w.r[to + l] = signed ? (short) v : v & 0xFFFF;
                }
            }
        }
    }
}
