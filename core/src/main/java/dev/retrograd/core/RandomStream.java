package dev.retrograd.core;

import java.util.Arrays;
import java.util.Objects;
import java.util.OptionalDouble;

/// A seeded stream of random numbers, equal to torch's CPU generator: uniforms and integers exactly, `randn` from 16 elements on
/// bit for bit as torch computes it with AVX2, shorter `randn` to the last digit.
///
/// A stream is a mutable cursor for one use and one thread. Its whole state can be taken ([#state]) and continued ([#of]).
///
/// Parity: `torch.Generator` on the CPU with `torch.rand`, `randint`, `randperm`, `randn` and `normal`.
public final class RandomStream {

    /// From how many values on torch makes normal values together, in blocks of this size, and not one by one.
    public static final int NORMALS_TOGETHER = BoxMuller.BLOCK;

    private static final long FRACTION_BITS = (1L << 53) - 1;

    private final Mt19937 generator;
    /// The second value of a Box–Muller pair of which the first is already given out.
    private OptionalDouble cachedNormal;

    private RandomStream(Mt19937 generator, OptionalDouble cachedNormal) {
        this.generator = generator;
        this.cachedNormal = cachedNormal;
    }

    /// The stream after `torch.manual_seed(seed)`. Torch seeds with the low 32 bits only: seeds that agree in them give one stream.
    public RandomStream(long seed) {
        this(Mt19937.seeded((int) seed), OptionalDouble.empty());
    }

    /// The stream that belongs to `key` under `seed`, independent of the streams of all other keys, such as the noise of one image:
    /// `keyed(seed, update, sample)`.
    ///
    /// Torch has no counterpart, its seeds being 32 bits wide. Here all 19937 bits of the state depend on all bits of seed and key:
    /// `h₀ = mix(seed)`, `hᵢ = mix(hᵢ₋₁ ⊕ keyᵢ)` with the SplitMix64 step as `mix`, and every `hᵢ` goes as two words into MT19937's
    /// `init_by_array`. As `mix` is a bijection, different (seed, key) of one length give different words, never the same by chance.
    ///
    /// @param key any numbers; their order and count matter
    public static RandomStream keyed(long seed, long... key) {
        int[] words = new int[2 * (key.length + 1)];
        long h = splitMix(seed);
        words[0] = (int) h;
        words[1] = (int) (h >>> 32);
        for (int i = 0; i < key.length; i++) {
            h = splitMix(h ^ key[i]);
            words[2 * i + 2] = (int) h;
            words[2 * i + 3] = (int) (h >>> 32);
        }
        return new RandomStream(Mt19937.seeded(words), OptionalDouble.empty());
    }

    /// The stream that goes on where `state` was taken.
    public static RandomStream of(State state) {
        return new RandomStream(Mt19937.restored(state.words, state.position), state.cachedNormal);
    }

    /// Everything that decides what the stream will give from here on.
    public State state() {
        return new State(generator.words(), generator.position(), cachedNormal);
    }

    /// A snapshot of a stream. Two are equal when their streams give the same numbers from the same words.
    ///
    /// @param words        the 624 words of MT19937, untempered, not all zero; copied in and out
    /// @param position     how many of them are used, 0..624
    /// @param cachedNormal the value that the next `randn` of fewer than 16 elements starts with, finite
    public record State(int[] words, int position, OptionalDouble cachedNormal) {

        /// @throws IllegalArgumentException if a component is outside what is said above
        public State {
            Objects.requireNonNull(cachedNormal, "cachedNormal");
            if (words.length != Mt19937.SIZE) {
                throw new IllegalArgumentException("random state: words must be " + Mt19937.SIZE + ", got " + words.length);
            }
            if (position < 0 || position > Mt19937.SIZE) {
                throw new IllegalArgumentException("random state: position must be 0.." + Mt19937.SIZE + ", got " + position);
            }
            if (Arrays.stream(words).allMatch(word -> word == 0)) {
                throw new IllegalArgumentException("random state: words must not all be zero, got " + words.length + " zeros");
            }
            if (cachedNormal.isPresent() && !Double.isFinite(cachedNormal.getAsDouble())) {
                throw new IllegalArgumentException("random state: cached normal must be finite, got " + cachedNormal.getAsDouble());
            }
            words = words.clone();
        }

        @Override public int[] words() {
            return words.clone();
        }

        @Override public boolean equals(Object other) {
            return other instanceof State that && position == that.position && Arrays.equals(words, that.words)
                    && cachedNormal.equals(that.cachedNormal);
        }

        @Override public int hashCode() {
            return Objects.hash(Arrays.hashCode(words), position, cachedNormal);
        }
    }

    /// The next 32 bits, to be read as unsigned.
    public int nextU32() {
        return generator.next();
    }

    /// The next 64 bits, to be read as unsigned: the first word is the high half.
    public long nextU64() {
        long high = generator.next();
        return high << 32 | generator.next() & 0xffffffffL;
    }

    /// One uniform float in [0, 1), a multiple of 2^-24: `torch.rand(())`.
    public float nextFloat() {
        return (generator.next() & 0xffffff) * 0x1p-24f;
    }

    /// One uniform double in [0, 1), a multiple of 2^-53: `torch.rand((), dtype=torch.float64)`.
    public double nextDouble() {
        return (nextU64() & FRACTION_BITS) * 0x1p-53;
    }

    /// `torch.rand(n)`: n uniform floats in [0, 1), multiples of 2^-24.
    public float[] rand(int n) {
        float[] out = new float[size("rand", n)];
        generator.fillUniform(out, 0, n);
        return out;
    }

    /// `torch.rand(n, dtype=torch.float64)`: n uniform doubles in [0, 1), multiples of 2^-53.
    public double[] randDouble(int n) {
        double[] out = new double[size("randDouble", n)];
        fillUniform(out, 0);
        return out;
    }

    /// `torch.randn(n)`: n values of N(0,1).
    ///
    /// As in torch, the values depend on n: fewer than 16 come one by one and leave or take a cached second value; 16 or more come in
    /// blocks that neither take nor clear it, and when 16 does not divide n the last 16 places are drawn anew.
    public float[] randn(int n) {
        float[] out = new float[size("randn", n)];
        if (n < NORMALS_TOGETHER) {
            for (int i = 0; i < n; i++) {
                out[i] = (float) nextNormal();
            }
            return out;
        }
        BoxMuller.normals(uniformsOfNormals(n), 0, out, 0, n);
        return out;
    }

    /// What {@link #randn} makes n values of, for {@link Backend#normals} to make them of it on a device; the stream goes on as after `randn(n)`.
    ///
    /// @param n {@link #NORMALS_TOGETHER} or more
    /// @return uniforms in [0, 1), n rounded up to whole blocks of 16; where 16 does not divide n, the last block holds the second draw of the last 16 places
    public float[] uniformsOfNormals(int n) {
        if (n < NORMALS_TOGETHER) {
            throw new IllegalArgumentException("uniformsOfNormals: n must be " + NORMALS_TOGETHER + " or more, got " + n);
        }
        float[] out = new float[BoxMuller.uniforms(n)];
        generator.fillUniform(out, 0, n);
        if (n % BoxMuller.BLOCK != 0) {
            generator.fillUniform(out, out.length - BoxMuller.BLOCK, out.length);
        }
        return out;
    }

    /// `torch.randn(n, dtype=torch.float64)`, laid out as [#randn] but from 53-bit uniforms.
    public double[] randnDouble(int n) {
        double[] out = new double[size("randnDouble", n)];
        if (n < NORMALS_TOGETHER) {
            for (int i = 0; i < n; i++) {
                out[i] = nextNormal();
            }
            return out;
        }
        fillUniform(out, 0);
        for (int block = 0; block + BoxMuller.BLOCK <= n; block += BoxMuller.BLOCK) {
            BoxMuller.transform(out, block);
        }
        if (n % BoxMuller.BLOCK != 0) {
            fillUniform(out, n - BoxMuller.BLOCK);
            BoxMuller.transform(out, n - BoxMuller.BLOCK);
        }
        return out;
    }

    /// One float of N(mean, std²): `torch.distributions.Normal(mean, std).sample()`.
    ///
    /// @param std the standard deviation, at least 0
    /// @throws IllegalArgumentException if `std` is negative or NaN
    public float normal(float mean, float std) {
        if (!(std >= 0)) {
            throw new IllegalArgumentException("normal: std must be >= 0, got " + std);
        }
        return (float) nextNormal() * std + mean;
    }

    /// One integer, uniform in lo..hi−1: `torch.randint(lo, hi, ())`. As in torch a word is reduced modulo the range, which favours
    /// small values by at most range / 2^32 (range / 2^64 from a range of 2^32 on).
    ///
    /// @throws IllegalArgumentException if `lo >= hi`
    public long randint(long lo, long hi) {
        if (lo >= hi) {
            throw new IllegalArgumentException("randint: lo must be below hi, got " + lo + ", " + hi);
        }
        long range = hi - lo;   // unsigned: may exceed Long.MAX_VALUE
        long bits = range >>> 32 == 0 ? nextU32() & 0xffffffffL : nextU64();
        return Long.remainderUnsigned(bits, range) + lo;
    }

    /// `torch.randint(lo, hi, (n,))`: n integers as [#randint(long, long)] gives them.
    ///
    /// @throws IllegalArgumentException if `lo >= hi` or `n < 0`
    public long[] randint(long lo, long hi, int n) {
        long[] out = new long[size("randint", n)];
        for (int i = 0; i < n; i++) {
            out[i] = randint(lo, hi);
        }
        return out;
    }

    /// `torch.randperm(n)`: a permutation of 0..n−1.
    public int[] randperm(int n) {
        int[] out = new int[size("randperm", n)];
        Arrays.setAll(out, i -> i);
        for (int i = 0; i < n - 1; i++) {
            int j = i + Integer.remainderUnsigned(generator.next(), n - i);
            int swapped = out[i];
            out[i] = out[j];
            out[j] = swapped;
        }
        return out;
    }

    private void fillUniform(double[] into, int from) {
        for (int i = from; i < into.length; i++) {
            into[i] = nextDouble();
        }
    }

    private double nextNormal() {
        if (cachedNormal.isPresent()) {
            double second = cachedNormal.getAsDouble();
            cachedNormal = OptionalDouble.empty();
            return second;
        }
        double theta = 2 * Math.PI * nextDouble();
        double radius = Math.sqrt(-2 * Math.log1p(-nextDouble()));
        cachedNormal = OptionalDouble.of(radius * Math.sin(theta));
        return radius * Math.cos(theta);
    }

    /// One step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection of 64 bits.
    private static long splitMix(long x) {
        long z = x + 0x9e3779b97f4a7c15L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }

    private static int size(String where, int n) {
        if (n < 0) {
            throw new IllegalArgumentException(where + ": n must be >= 0, got " + n);
        }
        return n;
    }
}
