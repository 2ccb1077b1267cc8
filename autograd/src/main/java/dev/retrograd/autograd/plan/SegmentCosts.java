package dev.retrograd.autograd.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What a segment takes, as two planned runs showed: one that stored everything, one that recomputed everything.
///
/// Bytes count from what was live as the pass around them began, with nothing kept for backward by the segments inside but their inputs.
/// So whatever is chosen for these, live bytes are such a figure plus what the earlier ones of them keep. Around the outermost segments, all live bytes count.
///
/// @param name last part of its path
/// @param flops of running it again, over all its runs; 0 if its backward pass never comes
/// @param tracked most bytes while it runs without being recorded
/// @param own bytes that its own operators keep for backward, those of segments inside apart
/// @param forward bytes along its recorded run: before each segment inside (`levels`), and at most between them (`gaps`, one more)
/// @param backward the same along its backward pass, counted in the order of the forward pass: `gaps[i]` lies between the backward passes of segments i and i − 1
/// @param inside segments in the order of the forward pass
record SegmentCosts(String name, long flops, long tracked, long own, Along forward, Along backward, List<SegmentCosts> inside) {

    record Along(List<Long> levels, List<Long> gaps) {
        private static Along most(Along a, Along b) {
            return new Along(greater(a.levels, b.levels), greater(a.gaps, b.gaps));
        }

        private static List<Long> greater(List<Long> a, List<Long> b) {
            List<Long> c = new ArrayList<>();
            for (int i = 0; i < a.size(); i++) {
                c.add(Math.max(a.get(i), b.get(i)));
            }
            return c;
        }
    }

    /// Everything around the outermost segments.
    ///
    /// @param stored of a run that stored everything
    /// @param recomputed of a run that recomputed everything
    static SegmentCosts of(Pass stored, Pass recomputed) {
        return new Reader(stored, recomputed).root(recomputed);
    }

    private static final class Reader {
        private final Map<String, List<Pass>> stored = new HashMap<>();
        private final Map<String, List<Pass>> forwards = new HashMap<>();
        private final Map<String, List<Pass>> backwards = new HashMap<>();

        Reader(Pass storedRun, Pass recomputedRun) {
            collect(storedRun, stored);
            for (Pass p : recomputedRun.inside()) {
                collectRecomputed(p);
            }
        }

        private static void collect(Pass pass, Map<String, List<Pass>> into) {
            for (Pass p : pass.inside()) {
                if (!p.backward()) {
                    into.computeIfAbsent(p.path(), _ -> new ArrayList<>()).add(p);
                    collect(p, into);
                }
            }
        }

        /// A forward pass inside a recorded one, and backward passes; what a forward pass has inside was not recorded.
        private void collectRecomputed(Pass pass) {
            (pass.backward() ? backwards : forwards).computeIfAbsent(pass.path(), _ -> new ArrayList<>()).add(pass);
            if (pass.backward()) {
                for (Pass p : pass.inside()) {
                    if (p.path().equals(pass.path())) {
                        p.inside().forEach(this::collectRecomputed);
                    } else {
                        collectRecomputed(p);
                    }
                }
            }
        }

        SegmentCosts root(Pass run) {
            List<String> order = new ArrayList<>();
            run.inside().stream().filter(p -> !p.backward() && !order.contains(p.path())).map(Pass::path).forEach(order::add);
            return new SegmentCosts("", 0, 0, 0, rootAlong(run, order, false), rootAlong(run, order, true), order.stream().map(this::segment).toList());
        }

        /// All rounds through the same segments, such as micro-batches, in one: the most of each.
        private static Along rootAlong(Pass run, List<String> order, boolean backward) {
            long[] levels = new long[order.size()];
            long[] gaps = new long[order.size() + 1];
            int at = backward ? order.size() : 0;
            for (int i = 0; i < run.inside.size(); i++) {
                Pass p = run.inside.get(i);
                int index = order.indexOf(p.path());
                // What comes before a forward pass has what is kept by the passes before it; likewise what comes before a backward pass.
                int gap = p.backward() ? index + 1 : index;
                if (p.backward() == backward) {
                    levels[index] = Math.max(levels[index], p.open);
                    gaps[gap] = Math.max(gaps[gap], run.gaps.get(i));
                }
                at = p.backward() ? index : index + 1;
            }
            gaps[at] = Math.max(gaps[at], run.gaps.getLast());
            return new Along(boxed(levels), boxed(gaps));
        }

        private SegmentCosts segment(String path) {
            List<Pass> all = backwards.getOrDefault(path, List.of());
            long tracked = forwards.get(path).stream().mapToLong(p -> p.peak() - p.open).max().orElseThrow();
            String name = path.substring(path.lastIndexOf('/') + 1);
            if (all.isEmpty()) {
                return new SegmentCosts(name, 0, tracked, 0, new Along(List.of(), List.of(tracked)), new Along(List.of(), List.of(0L)), List.of());
            }
            List<String> order = again(all.getFirst()).inside().stream().map(Pass::path).toList();
            Along forward = null;
            Along backward = null;
            long flops = 0;
            for (Pass b : all) {
                Pass again = again(b);
                flops += again.cost().flops();
                Along f = forward(again);
                Along r = backward(b, order);
                forward = forward == null ? f : Along.most(forward, f);
                backward = backward == null ? r : Along.most(backward, r);
            }
            List<SegmentCosts> inside = order.stream().map(this::segment).toList();
            return new SegmentCosts(name, flops, tracked, kept(path) - order.stream().mapToLong(this::kept).sum(), forward, backward, inside);
        }

        /// What a stored segment keeps: what it leaves behind beyond what one leaves that keeps nothing.
        private long kept(String path) {
            long results = forwards.get(path).stream().mapToLong(Pass::left).max().orElseThrow();
            return stored.get(path).stream().mapToLong(Pass::left).max().orElseThrow() - results;
        }

        private static Pass again(Pass backward) {
            return backward.inside().stream().filter(p -> !p.backward() && p.path().equals(backward.path())).findFirst().orElseThrow();
        }

        private static Along forward(Pass again) {
            return new Along(again.inside.stream().map(p -> p.open - again.open).toList(), again.gaps.stream().map(g -> g - again.open).toList());
        }

        private static Along backward(Pass b, List<String> order) {
            long[] levels = new long[order.size()];
            long[] gaps = new long[order.size() + 1];
            int at = order.size();
            for (int i = 1; i < b.inside.size(); i++) {
                Pass p = b.inside.get(i);
                int index = order.indexOf(p.path());
                levels[index] = p.open - b.open;
                gaps[at] = Math.max(gaps[at], b.gaps.get(i) - b.open);
                at = index;
            }
            gaps[at] = Math.max(gaps[at], b.gaps.getLast() - b.open);
            return new Along(boxed(levels), boxed(gaps));
        }

        private static List<Long> boxed(long... values) {
            List<Long> list = new ArrayList<>();
            for (long v : values) {
                list.add(v);
            }
            return list;
        }
    }
}
