package dev.retrograd.cuda.emulator;

/// Vector clocks: what each warp has done, and each mbarrier completed, as far as someone knows.
final class Clocks {
    private Clocks() {
    }

    /// Adds what `other` knows to `known`.
    static void join(int[] known, int[] other) {
        for (int i = 0; i < known.length; i++) {
            known[i] = Math.max(known[i], other[i]);
        }
    }
}
