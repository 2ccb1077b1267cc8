package dev.retrograd.unet.diffusion;

import dev.retrograd.core.RandomStream;
import java.util.BitSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Which denoising steps of an update are differentiated: drawn once per update, shared by all its images. Source: AlignProp (arXiv 2310.03739), §4.2.
public sealed interface Truncation {
    Pattern FORM = Pattern.compile("\\s*(\\w+)\\s*(?:\\(\\s*([^,()]+?)\\s*(?:,\\s*([^,()]+?)\\s*)?\\))?\\s*");

    /// The steps that keep their gradient: bit i stands for step i of 0..steps−1, from noise to image. Never empty.
    ///
    /// @param stream of this update
    /// @throws IllegalArgumentException if the strategy does not fit so many steps
    BitSet draw(RandomStream stream, int steps);

    /// Checks the strategy against the number of steps, so that a run fails before it starts.
    ///
    /// @throws IllegalArgumentException as {@link #draw}
    default void check(int steps) {
        draw(new RandomStream(0), steps);
    }

    /// Most steps that a draw can keep.
    int most(int steps);

    /// Steps that a draw keeps on average; for an estimate.
    double mean(int steps);

    private static BitSet last(int k, int steps) {
        BitSet kept = new BitSet(steps);
        kept.set(steps - k, steps);
        return kept;
    }

    /// Every step.
    record Full() implements Truncation {
        @Override public BitSet draw(RandomStream stream, int steps) {
            return last(steps, steps);
        }

        @Override public int most(int steps) {
            return steps;
        }

        @Override public double mean(int steps) {
            return steps;
        }

        @Override public String toString() {
            return "full";
        }
    }

    /// The last `k` steps.
    record Fixed(int k) implements Truncation {
        @Override public BitSet draw(RandomStream stream, int steps) {
            if (k < 1 || k > steps) {
                throw new IllegalArgumentException("truncation: k must be 1.." + steps + " (steps), got " + k);
            }
            return last(k, steps);
        }

        @Override public int most(int steps) {
            return k;
        }

        @Override public double mean(int steps) {
            return k;
        }

        @Override public String toString() {
            return "fixed(" + k + ")";
        }
    }

    /// The last K steps with K an integer drawn from min..max, both included; 0 counts as 1. The paper's is uniform(0,50) of 50 steps.
    record Uniform(int min, int max) implements Truncation {
        public Uniform {
            if (min < 0 || min > max) {
                throw new IllegalArgumentException("truncation: uniform(min,max) needs 0 <= min <= max, got " + min + " and " + max);
            }
        }

        @Override public BitSet draw(RandomStream stream, int steps) {
            if (max > steps) {
                throw new IllegalArgumentException("truncation: uniform's bounds must be 0.." + steps + " (steps), got " + max);
            }
            return last((int) Math.max(1, stream.randint(min, max + 1L)), steps);
        }

        @Override public int most(int steps) {
            return Math.max(1, max);
        }

        @Override public double mean(int steps) {
            return IntStream.rangeClosed(min, max).map(k -> Math.max(1, k)).average().orElseThrow();
        }

        @Override public String toString() {
            return "uniform(" + min + "," + max + ")";
        }
    }

    /// `uniform(0,steps)`, whatever the number of steps.
    record UniformOverAll() implements Truncation {
        @Override public BitSet draw(RandomStream stream, int steps) {
            return new Uniform(0, steps).draw(stream, steps);
        }

        @Override public int most(int steps) {
            return steps;
        }

        @Override public double mean(int steps) {
            return new Uniform(0, steps).mean(steps);
        }

        @Override public String toString() {
            return "uniform";
        }
    }

    /// The first differentiated step is drawn from a normal distribution, cut to an integer and clamped to 1..steps−1: the released code's gaussian(42,5).
    record Gaussian(double mean, double std) implements Truncation {
        public Gaussian {
            if (!Double.isFinite(mean) || !(std >= 0) || !Double.isFinite(std)) {
                throw new IllegalArgumentException("truncation: gaussian(mean,std) needs a finite mean and std >= 0, got " + mean + " and " + std);
            }
        }

        @Override public BitSet draw(RandomStream stream, int steps) {
            if (steps < 2) {
                throw new IllegalArgumentException("truncation: gaussian needs 2 steps or more, got " + steps);
            }
            int first = Math.clamp((int) stream.normal((float) mean, (float) std), 1, steps - 1);
            return last(steps - first, steps);
        }

        @Override public int most(int steps) {
            return std == 0 ? steps - Math.clamp((int) mean, 1, steps - 1) : steps - 1;
        }

        @Override public double mean(int steps) {
            return steps - Math.clamp(mean, 1, steps - 1);
        }

        @Override public String toString() {
            return "gaussian(" + mean + "," + std + ")";
        }
    }

    /// Every step is kept independently, step i of n with probability (i+1)/(n+1), as the paper-era code and TRL draw it; an empty set is drawn again.
    record Bernoulli() implements Truncation {
        @Override public BitSet draw(RandomStream stream, int steps) {
            BitSet kept = new BitSet(steps);
            while (kept.isEmpty()) {
                for (int i = 0; i < steps; i++) {
                    kept.set(i, i >= stream.randint(0, steps + 1L));
                }
            }
            return kept;
        }

        @Override public int most(int steps) {
            return steps;
        }

        @Override public double mean(int steps) {
            return steps / 2.0;
        }

        @Override public String toString() {
            return "bernoulli";
        }
    }

    /// Reads `uniform`, `uniform(0,50)`, `gaussian(42,5)`, `bernoulli`, `fixed(10)` or `full`.
    ///
    /// @throws IllegalArgumentException naming what came and what is allowed
    static Truncation parse(String text) {
        Matcher m = FORM.matcher(text);
        if (!m.matches()) {
            throw unknown(text);
        }
        String a = m.group(2);
        String b = m.group(3);
        String form = m.group(1) + (a == null ? "" : b == null ? "(a)" : "(a,b)");
        try {
            return switch (form) {
                case "full" -> new Full();
                case "uniform" -> new UniformOverAll();
                case "bernoulli" -> new Bernoulli();
                case "fixed(a)" -> new Fixed(Integer.parseInt(a));
                case "uniform(a,b)" -> new Uniform(Integer.parseInt(a), Integer.parseInt(b));
                case "gaussian(a,b)" -> new Gaussian(Double.parseDouble(a), Double.parseDouble(b));
                default -> throw unknown(text);
            };
        } catch (NumberFormatException e) {
            throw unknown(text);
        }
    }

    private static IllegalArgumentException unknown(String text) {
        return new IllegalArgumentException("truncation: must be uniform, uniform(min,max), gaussian(mean,std), bernoulli, fixed(k) or full, got '" + text + "'");
    }
}
