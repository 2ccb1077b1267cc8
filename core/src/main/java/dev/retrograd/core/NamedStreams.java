package dev.retrograd.core;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.function.IntSupplier;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Random streams by name, as reference folders name them: the check kind `torch-random`.
///
/// | name | values |
/// |---|---|
/// | `rand.sS.nN`, `randn.sS.nN` | `torch.manual_seed(S)`, then `rand(N)`, `randn(N)` |
/// | `randn_f64.sS.nN` | the same in float64 |
/// | `randint.sS.LO_HI.nN`, `randperm.sS.nN` | `randint(LO, HI, (N,))`, `randperm(N)` |
/// | `sequence.sS` | randn(5), randn(16), randn(3), rand(4), randn(20), randn(2) of one generator, concatenated |
/// | `int_sequence.sS` | randperm(10), randint(0, 100, (6,)), randperm(7) of one generator, concatenated |
/// | `normal_sample.sS` | 20 draws of `int(Normal(42, 5).sample())`: AlignProp's truncation |
/// | `mt19937.sS.first` | the first 8 raw words, shifted right by 1 |
/// | `python.randint.sS` | Python's `random.seed(S)`, then 40 × `randint(0, 50)`: TRL's truncation |
/// | `python.choice.sS` | `random.seed(S)`, then 40 indices as `choice` draws them from 45 items: AlignProp's prompts |
///
/// S is −2^63..2^64−1 (negative as its two's complement; for Python any size, of which the magnitude counts), LO and HI are long, N is
/// 0..2^27.
public final class NamedStreams {

    private static final int MAX_VALUES = 1 << 27;
    private static final Pattern NAME = Pattern.compile(
            "(?<family>rand|randn|randn_f64|randint|randperm|sequence|int_sequence|normal_sample|mt19937|python\\.randint|python\\.choice)"
                    + "\\.s(?<seed>-?\\d+)(?:\\.(?<lo>-?\\d+)_(?<hi>-?\\d+))?(?:\\.n(?<n>\\d+))?(?<first>\\.first)?");
    private static final BigInteger SEED_MIN = BigInteger.TWO.pow(63).negate();
    private static final BigInteger SEED_END = BigInteger.TWO.pow(64);

    private NamedStreams() {}

    /// The values of a stream, in order, as a vector of their own type.
    public sealed interface Values {

        /// @return how many there are
        int count();

        /// @return all of them as doubles, which hold each of these floats and integers below 2^53 exactly
        double[] toDoubles();
    }

    /// float32 values.
    public record Floats(float[] values) implements Values {
        @Override public int count() {
            return values.length;
        }

        @Override public double[] toDoubles() {
            return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
        }
    }

    /// float64 values; reference folders hold them rounded to float32.
    public record Doubles(double[] values) implements Values {
        @Override public int count() {
            return values.length;
        }

        @Override public double[] toDoubles() {
            return values.clone();
        }
    }

    /// Integers.
    public record Longs(long[] values) implements Values {
        @Override public int count() {
            return values.length;
        }

        @Override public double[] toDoubles() {
            return Arrays.stream(values).asDoubleStream().toArray();
        }
    }

    /// The values of the stream called `name`.
    ///
    /// @throws IllegalArgumentException if the name is none of the table's or a number in it is out of range
    public static Values evaluate(String name) {
        Matcher match = NAME.matcher(name);
        if (!match.matches()) {
            throw unknown(name);
        }
        String family = match.group("family");
        boolean sized = switch (family) {
            case "rand", "randn", "randn_f64", "randint", "randperm" -> true;
            default -> false;
        };
        if (sized != (match.group("n") != null) || family.equals("randint") != (match.group("lo") != null)
                || family.equals("mt19937") != (match.group("first") != null)) {
            throw unknown(name);
        }
        BigInteger seed = new BigInteger(match.group("seed"));
        if (family.startsWith("python.")) {
            IntSupplier words = Mt19937.seeded(pythonKey(seed))::next;
            return longs(40, () -> below(words, family.equals("python.randint") ? 51 : 45));
        }
        if (seed.compareTo(SEED_MIN) < 0 || seed.compareTo(SEED_END) >= 0) {
            throw new IllegalArgumentException("stream '" + name + "': seed must be -2^63..2^64-1, got " + seed);
        }
        return draw(family, new RandomStream(seed.longValue()), sized ? size(name, match) : 0, name, match);
    }

    private static Values draw(String family, RandomStream stream, int n, String name, MatchResult match) {
        return switch (family) {
            case "rand" -> new Floats(stream.rand(n));
            case "randn" -> new Floats(stream.randn(n));
            case "randn_f64" -> new Doubles(stream.randnDouble(n));
            case "randint" -> new Longs(stream.randint(bound(name, match.group("lo")), bound(name, match.group("hi")), n));
            case "randperm" -> new Longs(widened(stream.randperm(n)));
            case "sequence" -> new Floats(concatenated(stream.randn(5), stream.randn(16), stream.randn(3), stream.rand(4),
                    stream.randn(20), stream.randn(2)));
            case "int_sequence" -> new Longs(concatenated(widened(stream.randperm(10)), stream.randint(0, 100, 6),
                    widened(stream.randperm(7))));
            case "normal_sample" -> longs(20, () -> (int) stream.normal(42, 5));
            case "mt19937" -> longs(8, () -> stream.nextU32() >>> 1);
            default -> throw unknown(name);
        };
    }

    private static int size(String name, MatchResult match) {
        BigInteger n = new BigInteger(match.group("n"));
        if (n.compareTo(BigInteger.valueOf(MAX_VALUES)) > 0) {
            throw new IllegalArgumentException("stream '" + name + "': size must be 0.." + MAX_VALUES + ", got " + n);
        }
        return n.intValueExact();
    }

    private static long bound(String name, String digits) {
        BigInteger bound = new BigInteger(digits);
        if (bound.bitLength() >= Long.SIZE) {
            throw new IllegalArgumentException("stream '" + name + "': bound must be -2^63..2^63-1, got " + bound);
        }
        return bound.longValueExact();
    }

    /// The key that CPython's `random.seed(int)` gives `init_by_array`: the magnitude's 32-bit words, lowest first, at least one.
    private static int[] pythonKey(BigInteger seed) {
        BigInteger magnitude = seed.abs();
        int[] key = new int[Math.max(1, (magnitude.bitLength() + 31) / 32)];
        Arrays.setAll(key, i -> magnitude.shiftRight(32 * i).intValue());
        return key;
    }

    /// Uniform in 0..n−1 as CPython draws it: as many of a word's upper bits as n has, drawn again until they are below n.
    private static int below(IntSupplier words, int n) {
        int shift = Integer.numberOfLeadingZeros(n);
        int drawn;
        do {
            drawn = words.getAsInt() >>> shift;
        } while (drawn >= n);
        return drawn;
    }

    private static Longs longs(int n, IntSupplier draw) {
        long[] out = new long[n];
        for (int i = 0; i < n; i++) {
            out[i] = draw.getAsInt();
        }
        return new Longs(out);
    }

    private static long[] widened(int[] values) {
        return Arrays.stream(values).asLongStream().toArray();
    }

    private static float[] concatenated(float[]... parts) {
        float[] out = new float[Arrays.stream(parts).mapToInt(part -> part.length).sum()];
        int at = 0;
        for (float[] part : parts) {
            System.arraycopy(part, 0, out, at, part.length);
            at += part.length;
        }
        return out;
    }

    private static long[] concatenated(long[]... parts) {
        return Arrays.stream(parts).flatMapToLong(Arrays::stream).toArray();
    }

    private static IllegalArgumentException unknown(String name) {
        return new IllegalArgumentException("random streams: name must be one of rand, randn, randn_f64, randint, randperm, sequence, "
                + "int_sequence, normal_sample, mt19937, python.randint, python.choice with its seed and size, got '" + name + "'");
    }
}
