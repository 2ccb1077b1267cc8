package dev.retrograd.autograd.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/// Finds what to store and what to recompute for the least recomputation under a budget: dynamic programming over segments in the order of the
/// forward pass, innermost ones first.
///
/// Live bytes at any instant are a figure of the instant plus what the earlier segments keep, and recomputation is the sum of the recomputed
/// segments' FLOPs. So of two ways to run the first segments, one that neither costs less nor keeps less is never part of the best plan, and
/// dropping it loses nothing.
final class Budgeted {
    private static final int MOST = 1000;
    private static final long FIRST_TOLERANCE = 1 << 12;

    private final SegmentCosts all;
    private final List<List<Option>> options = new ArrayList<>();
    /// Segments that are alike, such as denoising steps, are solved once.
    private final Map<List<Object>, List<Option>> solved = new HashMap<>();

    Budgeted(SegmentCosts all) {
        this.all = all;
        all.inside().forEach(s -> options.add(options(s)));
    }

    private List<Option> options(SegmentCosts s) {
        List<Object> alike = List.of(s.flops(), s.tracked(), s.own(), s.forward(), s.backward(), s.inside());
        List<Option> known = solved.get(alike);
        if (known == null) {
            known = solve(s);
            solved.put(alike, known);
        }
        return known;
    }

    private List<Option> solve(SegmentCosts s) {
        SegmentCosts.Along f = s.forward();
        SegmentCosts.Along b = s.backward();
        List<Option> ways = List.of(new Option(0, 0, f.gaps().getFirst(), b.gaps().getFirst(), false, null));
        for (int i = 0; i < s.inside().size(); i++) {
            List<Option> longer = new ArrayList<>();
            List<Option> choices = options(s.inside().get(i));
            for (Option w : ways) {
                for (Option o : choices) {
                    long kept = w.kept() + o.kept();
                    long forward = Math.max(Math.max(w.forward(), f.levels().get(i) + w.kept() + o.forward()), f.gaps().get(i + 1) + kept);
                    long backward = Math.max(Math.max(w.backward(), b.levels().get(i) + w.kept() + o.backward()), b.gaps().get(i + 1) + kept);
                    longer.add(new Option(w.flops() + o.flops(), kept, forward, backward, false, new Option.Picked(o, w.inside())));
                }
            }
            ways = Option.best(longer);
        }
        List<Option> both = new ArrayList<>();
        for (Option w : ways) {
            both.add(new Option(w.flops(), s.own() + w.kept(), w.forward(), w.backward(), false, w.inside()));
            both.add(new Option(w.flops() + s.flops(), 0, s.tracked(), Math.max(w.forward(), w.backward()), true, w.inside()));
        }
        return Option.best(both);
    }

    /// A way to run the segments so far.
    private record Way(long kept, long flops, long peak, Option.Picked last) {
    }

    /// @param recomputed paths to recompute
    /// @param peak most bytes live at once
    record Found(Set<String> recomputed, long peak) {
    }

    /// Most live bytes from the i-th segment's beginning to the next one's, forwards and backwards.
    private long peak(int i, long kept, Option o) {
        SegmentCosts.Along f = all.forward();
        SegmentCosts.Along b = all.backward();
        long around = Math.max(f.gaps().get(i + 1), b.gaps().get(i + 1)) + o.kept();
        return kept + Math.max(around, Math.max(f.levels().get(i) + o.forward(), b.levels().get(i) + o.backward()));
    }

    /// Most live bytes before the first segment.
    private long start() {
        return Math.max(all.forward().gaps().getFirst(), all.backward().gaps().getFirst());
    }

    /// The paths to recompute, at least cost, for a peak of at most `budget` bytes; empty if none keeps to it.
    Optional<Found> within(long budget) {
        if (start() > budget) {
            return Optional.empty();
        }
        List<Way> ways = List.of(new Way(0, 0, start(), null));
        for (int i = 0; i < options.size(); i++) {
            List<Way> longer = new ArrayList<>();
            for (Way w : ways) {
                long least = Long.MAX_VALUE;
                // Cheapest first: a dearer one is of use only if it keeps less.
                for (Option o : options.get(i)) {
                    long peak = peak(i, w.kept(), o);
                    if (o.kept() < least && peak <= budget) {
                        least = o.kept();
                        longer.add(new Way(w.kept() + o.kept(), w.flops() + o.flops(), Math.max(w.peak(), peak), new Option.Picked(o, w.last())));
                    }
                }
            }
            ways = best(longer);
        }
        return ways.stream().findFirst().map(w -> {
            Set<String> recomputed = new TreeSet<>();
            Option.collect("", all.inside(), w.last(), recomputed);
            return new Found(recomputed, w.peak());
        });
    }

    /// Those that no other one beats in cost and what it keeps; as with {@link Option#best}, no more than can be carried on.
    private static List<Way> best(List<Way> all) {
        all.sort(Comparator.comparingLong(Way::flops).thenComparingLong(Way::kept));
        List<Way> best = best(all, 1);
        for (long tolerance = FIRST_TOLERANCE; best.size() > MOST; tolerance *= 2) {
            best = best(best, tolerance);
        }
        return best;
    }

    private static List<Way> best(List<Way> cheapestFirst, long tolerance) {
        List<Way> best = new ArrayList<>();
        for (Way w : cheapestFirst) {
            if (best.isEmpty() || w.kept() <= best.getLast().kept() - tolerance) {
                best.add(w);
            }
        }
        return best;
    }

    /// The smallest budget that can be kept to.
    long least() {
        long most = 1;
        while (!feasible(most)) {
            most = Math.multiplyExact(2, most);
        }
        long least = most / 2;
        while (most - least > 1) {
            long middle = least + (most - least) / 2;
            if (feasible(middle)) {
                most = middle;
            } else {
                least = middle;
            }
        }
        return most;
    }

    /// The less is kept by the first segments, the more is left for the others, whatever it costs.
    private boolean feasible(long budget) {
        if (start() > budget) {
            return false;
        }
        long kept = 0;
        for (int i = 0; i < options.size(); i++) {
            long before = kept;
            int index = i;
            Optional<Option> o = options.get(i).stream().filter(c -> peak(index, before, c) <= budget).min(Comparator.comparingLong(Option::kept));
            if (o.isEmpty()) {
                return false;
            }
            kept += o.get().kept();
        }
        return true;
    }
}
