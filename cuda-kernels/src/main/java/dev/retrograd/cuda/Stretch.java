package dev.retrograd.cuda;

import java.util.List;
import java.util.Optional;

/// Launches that came one after the other once, and their graph when they came again.
final class Stretch {
    private final List<Launch> launches;
    private Optional<CudaDriver.Graph> graph = Optional.empty();
    private long used;

    /// @param launches one or more, on one stream
    Stretch(List<Launch> launches) {
        this.launches = List.copyOf(launches);
    }

    int size() {
        return launches.size();
    }

    Launch at(int i) {
        return launches.get(i);
    }

    /// The first so many.
    List<Launch> first(int count) {
        return launches.subList(0, count);
    }

    /// Of the first launch.
    int startHash() {
        return launches.getFirst().hash();
    }

    /// Whether both begin with the same launches.
    boolean beginsAs(Stretch other, int count) {
        boolean same = size() >= count;
        for (int i = 0; same && i < count; i++) {
            same = at(i).is(other.at(i));
        }
        return same;
    }

    Optional<CudaDriver.Graph> graph() {
        return graph;
    }

    void graph(CudaDriver.Graph made) {
        graph = Optional.of(made);
    }

    /// The graph, which is another's to free then.
    Optional<CudaDriver.Graph> takeGraph() {
        Optional<CudaDriver.Graph> taken = graph;
        graph = Optional.empty();
        return taken;
    }

    /// When it was used last, by the clock of {@link Stretches}.
    long used() {
        return used;
    }

    void used(long now) {
        used = now;
    }
}
