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

    /// The ways of several segments in a row.
    record Picked(Option option, Picked before) {
    }

    private boolean noWorseThan(Option other) {
        return flops <= other.flops && kept <= other.kept && forward <= other.forward && backward <= other.backward;
    }

    /// Those that no other one beats in everything, cheapest first.
    static List<Option> best(List<Option> all) {
        List<Option> sorted = new ArrayList<>(all);
        sorted.sort(Comparator.comparingLong(Option::flops).thenComparingLong(Option::kept).thenComparingLong(Option::backward).thenComparingLong(Option::forward));
        List<Option> best = new ArrayList<>();
        for (Option o : sorted) {
            if (best.stream().noneMatch(b -> b.noWorseThan(o))) {
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
