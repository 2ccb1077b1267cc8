package dev.retrograd.autograd.plan;

import dev.retrograd.core.PlanBackend.Cost;
import dev.retrograd.core.Storage;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// One run through a segment, forwards or backwards: how many bytes were live when, and which passes ran inside.
public final class Pass {
    private final String path;
    private final boolean backward;
    /// Live bytes as it began.
    final long open;
    /// Most live bytes before the first pass inside, between each two, and after the last.
    final List<Long> gaps = new ArrayList<>();
    final List<Pass> inside = new ArrayList<>();
    private final Set<Storage> weights = Collections.newSetFromMap(new IdentityHashMap<>());
    /// Live bytes after it let go of what was its own.
    long after;
    Cost cost = Cost.ZERO;
    Map<Call, Long> calls = Map.of();

    /// A call of a kernel, like all that cost the same.
    public record Call(String kernel, long flops, long bytes) {
    }

    Pass(String path, boolean backward, long open) {
        this.path = path;
        this.backward = backward;
        this.open = open;
    }

    /// Names of the open segments, outermost first, joined by `/`.
    public String path() {
        return path;
    }

    /// Whether it is the segment's backward pass, in which a recomputed one runs forwards again first.
    public boolean backward() {
        return backward;
    }

    /// The passes inside, in order of time.
    public List<Pass> inside() {
        return Collections.unmodifiableList(inside);
    }

    /// What its kernels cost, those of passes inside included.
    public Cost cost() {
        return cost;
    }

    /// The same by kernel; known of a whole run only.
    public Map<String, Cost> costs() {
        Map<String, Cost> costs = new TreeMap<>();
        calls.forEach((call, times) -> costs.merge(call.kernel, new Cost(call.flops * times, call.bytes * times, times), Cost::plus));
        return costs;
    }

    /// How often each call was made; known of a whole run only.
    public Map<Call, Long> calls() {
        return Collections.unmodifiableMap(calls);
    }

    /// Most bytes live at once while it ran.
    public long peak() {
        long most = gaps.stream().mapToLong(Long::longValue).max().orElse(open);
        return inside.stream().mapToLong(Pass::peak).reduce(most, Math::max);
    }

    /// Bytes that it left behind: its results, and what it keeps for its backward pass.
    public long left() {
        return after - open;
    }

    /// FLOPs of what ran forwards again for its backward pass, in all passes inside.
    public long recomputedFlops() {
        long flops = 0;
        for (Pass p : inside) {
            flops += p.recomputedFlops() + (backward && !p.backward && p.path.equals(path) ? p.cost.flops() : 0);
        }
        return flops;
    }

    /// The pass right inside that reached the peak; empty if it was reached between them.
    public Optional<Pass> fullest() {
        return inside.stream().max(Comparator.comparingLong(Pass::peak)).filter(p -> p.peak() == peak());
    }

    /// Live bytes as it began.
    public long open() {
        return open;
    }

    void used(Storage weight) {
        weights.add(weight);
    }

    /// The weights that its kernels read, those of passes inside included.
    public Set<Storage> weights() {
        Set<Storage> all = Collections.newSetFromMap(new IdentityHashMap<>());
        all.addAll(weights);
        inside.forEach(p -> all.addAll(p.weights()));
        return all;
    }
}
