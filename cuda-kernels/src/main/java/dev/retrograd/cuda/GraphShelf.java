package dev.retrograd.cuda;

import dev.retrograd.core.GraphUse;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// The graphs that exist, by when they were used, and the memory that they take. Bounded by what a plan sets aside for them: where one has been idle for long it
/// makes room, else there are no more.
final class GraphShelf {
    private final CudaDriver driver;
    /// bytes of each, the one used last at the end
    private final SequencedMap<Stretch, Long> held = new LinkedHashMap<>();
    private GraphUse use = GraphUse.NONE;

    GraphShelf(CudaDriver driver) {
        this.driver = driver;
    }

    GraphUse use() {
        return use;
    }

    /// Whether there is room for a stretch's graph.
    ///
    /// @param staleBefore time by the clock of {@link Stretches}; a graph that nobody used since makes room
    boolean admits(Stretch s, long staleBefore) {
        while (!use.admits(s.size()) && !held.isEmpty() && held.firstEntry().getKey().used() < staleBefore) {
            remove(held.firstEntry().getKey());
        }
        return use.admits(s.size());
    }

    /// @param bytes by which free memory shrank
    void add(Stretch s, long bytes) {
        held.put(s, bytes);
        use = use.plus(s.size(), bytes);
    }

    void used(Stretch s) {
        Long bytes = held.remove(s);
        if (bytes != null) {
            held.putLast(s, bytes);
        }
    }

    /// Frees a stretch's graph, if it has one.
    void remove(Stretch s) {
        s.takeGraph().ifPresent(driver::free);
        Long bytes = held.remove(s);
        if (bytes != null) {
            use = use.minus(s.size(), bytes);
        }
    }
}
