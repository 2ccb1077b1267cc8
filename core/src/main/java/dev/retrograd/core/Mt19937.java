package dev.retrograd.core;

/// The 32-bit Mersenne Twister, MT19937: a stream of 32-bit words of period 2^19937 − 1.
///
/// Words are twisted and tempered 624 at a time, so that a bulk reader copies from an array.
///
/// Source: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998; seeding as in the authors' revision of 2002.
final class Mt19937 {

    /// Words of state.
    static final int SIZE = 624;

    private static final int SHIFT = 397;
    private static final int UPPER_BIT = 0x80000000;
    private static final int LOWER_BITS = 0x7fffffff;
    private static final int TWIST = 0x9908b0df;
    private static final int ARRAY_SEED = 19650218;

    private final int[] state;
    private final int[] tempered = new int[SIZE];
    private int position;

    private Mt19937(int[] state, int position) {
        this.state = state;
        this.position = position;
    }

    /// Seeds from one word (`init_genrand`, which is also what torch does with the low half of a seed).
    static Mt19937 seeded(int seed) {
        return new Mt19937(expand(seed), SIZE);
    }

    /// Seeds from at least one word (`init_by_array`, which is also what Python's `random.seed` does).
    static Mt19937 seeded(int[] key) {
        int[] state = expand(ARRAY_SEED);
        int i = 1;
        int j = 0;
        for (int k = Math.max(SIZE, key.length); k > 0; k--) {
            state[i] = (state[i] ^ spread(state[i - 1]) * 1664525) + key[j] + j;
            i = next(i, state);
            j = j + 1 == key.length ? 0 : j + 1;
        }
        for (int k = SIZE - 1; k > 0; k--) {
            state[i] = (state[i] ^ spread(state[i - 1]) * 1566083941) - i;
            i = next(i, state);
        }
        state[0] = UPPER_BIT;   // never all zero, which the recurrence could not leave
        return new Mt19937(state, SIZE);
    }

    /// Continues from a copy of `words` of which `position` are already used.
    static Mt19937 restored(int[] words, int position) {
        Mt19937 generator = new Mt19937(words.clone(), position);
        generator.temper();
        return generator;
    }

    /// A copy of the 624 untempered words.
    int[] words() {
        return state.clone();
    }

    /// How many of the 624 words are used; 624 means that the next draw twists first.
    int position() {
        return position;
    }

    /// The next 32 random bits.
    int next() {
        if (position == SIZE) {
            refill();
        }
        return tempered[position++];
    }

    /// Overwrites `into[from..to)` with `(next() & 0xffffff) · 2^-24`, uniform in [0, 1).
    void fillUniform(float[] into, int from, int to) {
        int at = from;
        while (at < to) {
            if (position == SIZE) {
                refill();
            }
            int count = Math.min(SIZE - position, to - at);
            for (int i = 0; i < count; i++) {
                into[at + i] = (tempered[position + i] & 0xffffff) * 0x1p-24f;
            }
            position += count;
            at += count;
        }
    }

    private void refill() {
        for (int k = 0; k < SIZE - SHIFT; k++) {
            state[k] = twist(state[k], state[k + 1], state[k + SHIFT]);
        }
        for (int k = SIZE - SHIFT; k < SIZE - 1; k++) {
            state[k] = twist(state[k], state[k + 1], state[k + SHIFT - SIZE]);
        }
        state[SIZE - 1] = twist(state[SIZE - 1], state[0], state[SHIFT - 1]);
        temper();
        position = 0;
    }

    private static int twist(int word, int following, int distant) {
        int y = word & UPPER_BIT | following & LOWER_BITS;
        return distant ^ y >>> 1 ^ -(y & 1) & TWIST;
    }

    private void temper() {
        for (int k = 0; k < SIZE; k++) {
            int y = state[k];
            y ^= y >>> 11;
            y ^= y << 7 & 0x9d2c5680;
            y ^= y << 15 & 0xefc60000;
            tempered[k] = y ^ y >>> 18;
        }
    }

    private static int[] expand(int seed) {
        int[] state = new int[SIZE];
        state[0] = seed;
        for (int i = 1; i < SIZE; i++) {
            state[i] = 1812433253 * spread(state[i - 1]) + i;
        }
        return state;
    }

    private static int spread(int word) {
        return word ^ word >>> 30;
    }

    /// Word 0 is skipped by `init_by_array`: it carries the last word over instead.
    private static int next(int i, int[] state) {
        if (i + 1 < SIZE) {
            return i + 1;
        }
        state[0] = state[SIZE - 1];
        return 1;
    }
}
