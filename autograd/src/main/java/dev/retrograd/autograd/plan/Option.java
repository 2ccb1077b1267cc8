package dev.retrograd.autograd.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/// One way to run a segment and those inside it.
///
/// @param flops run again
/// @param kept bytes kept from its forward to its backward pass
/// @param forward most bytes during its forward pass, counted from its beginning
/// @param backward most bytes during its backward pass, counted from its beginning without what it kept
/// @param recomputed whether the segment itself runs again
/// @param inside the ways of the segments inside, the last one first; `null` after the first
record Option(long flops, long kept, long forward, long backward, boolean recomputed, Picked inside) {

    /// Options of a segment that are carried on; tests enumerate chains that stay below it.
    private static final int MOST = 300;
    private static final long FIRST_TOLERANCE = 1 << 12;

    /// The ways of several segments in a row.
    record Picked(Option option, Picked before) {
    }

    private boolean noWorseThan(Option other, long tolerance) {
        return kept <= other.kept + tolerance && forward <= other.forward + tolerance && backward <= other.backward + tolerance;
    }

    /// Those that no other one beats in everything, cheapest first.
    ///
    /// Where they are more than a search can carry on, one that a cheaper one beats but for few bytes goes as well: as few as bring the number down.
    static List<Option> best(List<Option> all) {
        List<Option> sorted = new ArrayList<>(all);
        sorted.sort(Comparator.comparingLong(Option::flops).thenComparingLong(Option::kept).thenComparingLong(Option::backward).thenComparingLong(Option::forward));
        List<Option> best = best(sorted, 0);
        for (long tolerance = FIRST_TOLERANCE; best.size() > MOST; tolerance *= 2) {
            best = best(best, tolerance);
        }
        return best;
    }

    private static List<Option> best(List<Option> cheapestFirst, long tolerance) {
        List<Option> best = new ArrayList<>();
        for (Option o : cheapestFirst) {
            boolean beaten = false;
            // The latest ones are the likeliest to beat it.
            for (int i = best.size() - 1; i >= 0 && !beaten; i--) {
                beaten = best.get(i).noWorseThan(o, tolerance);
            }
            if (!beaten) {
                best.add(o);
            }
        }
        return best;
    }

    /// Paths of everything that runs again.
    static void collect(String path, SegmentCosts segment, Option option, Set<String> recomputed) {
        if (option.recomputed) {
            recomputed.add(path);
        }
        collect(path, segment.inside(), option.inside, recomputed);
    }

    static void collect(String path, List<SegmentCosts> segments, Picked last, Set<String> recomputed) {
        Picked p = last;
        for (int i = segments.size() - 1; i >= 0; i--) {
            String name = segments.get(i).name();
            collect(path.isEmpty() ? name : path + "/" + name, segments.get(i), p.option(), recomputed);
            p = p.before();
        }
    }
}
