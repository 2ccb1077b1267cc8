package dev.retrograd.benchmarks.libtorch;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// One computation done by both sides.
///
/// @param flop floating-point operations of one run, a multiply-add counting as two; 0 where bytes bound it
/// @param ours runs it on the CPU backend
/// @param theirs runs it on libtorch, once per way of asking for it (memory formats); the fastest counts
record Pair(String name, double flop, Runnable ours, List<Way> theirs) {

    /// One way of asking libtorch.
    record Way(String name, Runnable run) {
    }

    /// What was measured.
    ///
    /// @param ours median seconds
    /// @param theirs median seconds of the fastest way
    /// @param ratios of libtorch's time to ours in each round, sorted: above 1 where ours is faster
    record Result(String name, double flop, double ours, double theirs, String way, double[] ratios) {
        double ratio() {
            return quantile(ratios, 0.5);
        }

        String line() {
            String rate = flop > 0 ? String.format(Locale.ROOT, "%6.0f %6.0f", flop / ours / 1e9, flop / theirs / 1e9) : "     -      -";
            return String.format(Locale.ROOT, "%-34s %10.3f %10.3f %s %6.2f  %.2f-%.2f  %s", name, ours * 1e3, theirs * 1e3, rate, ratio(),
                    quantile(ratios, 0.25), quantile(ratios, 0.75), way);
        }

        static String header() {
            return String.format("%-34s %10s %10s %6s %6s %6s  %s  %s", "", "ours ms", "theirs ms", "ours", "theirs", "ratio", "quartiles", "their layout");
        }

        /// For a report, one object a line.
        String json() {
            return String.format(Locale.ROOT, "{\"name\":\"%s\",\"flop\":%.0f,\"ours_seconds\":%.6g,\"libtorch_seconds\":%.6g,\"ratio\":%.4f,\"ratio_q1\":%.4f,\"ratio_q3\":%.4f,\"rounds\":%d,\"libtorch_layout\":\"%s\"}",
                    name, flop, ours, theirs, ratio(), quantile(ratios, 0.25), quantile(ratios, 0.75), ratios.length, way);
        }
    }

    /// Measures all sides in turn, round after round, so that whatever slows the machine down slows all of them down.
    ///
    /// @param seconds of measurement, after as much to warm each side up: the JVM compiles a loop for good within its first second or two
    Result measure(double seconds) {
        List<Runnable> sides = new ArrayList<>(List.of(ours));
        theirs.forEach(w -> sides.add(w.run()));
        int[] repeats = sides.stream().mapToInt(s -> warm(s, seconds)).toArray();
        List<double[]> rounds = new ArrayList<>();
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (System.nanoTime() < end || rounds.size() < 5) {
            double[] times = new double[sides.size()];
            for (int i = 0; i < times.length; i++) {
                int side = (i + rounds.size()) % times.length;
                times[side] = time(sides.get(side), repeats[side]);
            }
            rounds.add(times);
        }
        double[] medians = new double[sides.size()];
        for (int i = 0; i < medians.length; i++) {
            int side = i;
            medians[i] = quantile(rounds.stream().mapToDouble(t -> t[side]).sorted().toArray(), 0.5);
        }
        int best = 1;
        for (int i = 2; i < medians.length; i++) {
            best = medians[i] < medians[best] ? i : best;
        }
        int fastest = best;
        double[] ratios = rounds.stream().mapToDouble(t -> t[fastest] / t[0]).sorted().toArray();
        return new Result(name, flop, medians[0], medians[best], theirs.get(best - 1).name(), ratios);
    }

    /// @return runs that take some 20 ms together, or one
    private static int warm(Runnable side, double seconds) {
        long start = System.nanoTime();
        int runs = 0;
        while (runs < 2 || System.nanoTime() - start < seconds * 1e9) {
            side.run();
            runs++;
        }
        double each = time(side, 1);
        return (int) Math.clamp(0.02 / each, 1, 10_000);
    }

    /// Seconds of one run; before it, time for the other side's threads to go to sleep.
    private static double time(Runnable side, int repeats) {
        try {
            Thread.sleep(5);
        } catch (InterruptedException e) {
            throw new IllegalStateException("comparison: interrupted", e);
        }
        side.run();
        long start = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            side.run();
        }
        return (System.nanoTime() - start) / 1e9 / repeats;
    }

    private static double quantile(double[] sorted, double q) {
        double at = q * (sorted.length - 1);
        int below = (int) at;
        return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
    }

    /// @throws IllegalStateException if both sides' results differ by more than a share of their largest value
    static void requireAgreement(String name, float[] ours, float[] theirs, double tolerance) {
        if (ours.length != theirs.length) {
            throw new IllegalStateException("%s: both sides must give as many values, got %d and %d".formatted(name, ours.length, theirs.length));
        }
        double largest = 0;
        double off = 0;
        for (int i = 0; i < ours.length; i++) {
            largest = Math.max(largest, Math.abs(theirs[i]));
            double d = Math.abs(ours[i] - theirs[i]);
            off = d <= off ? off : d; // NaN stays
        }
        if (!(off <= tolerance * largest)) {
            throw new IllegalStateException("%s: both sides must agree to %s of the largest value %s, got %s (of %s…)".formatted(name, tolerance, largest, off, Arrays.toString(Arrays.copyOf(ours, 3))));
        }
    }
}
