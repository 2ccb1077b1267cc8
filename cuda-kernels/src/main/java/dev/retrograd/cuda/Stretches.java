package dev.retrograd.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.function.Consumer;

/// The stretches of launches that are known, by their first launch and by when they were used. Bounded: one that nobody used for long makes room for
/// a new one; while there is none such, new ones are not kept, since a run that goes round in more than there is room for would otherwise find nothing
/// of it.
final class Stretches {
    /// About half a KB of host memory each.
    private static final int MOST_LAUNCHES = 1 << 16;
    /// Launches after which what was not used is stale.
    private static final long PATIENCE = 16L * MOST_LAUNCHES;
    /// Stretches that begin with the same launch.
    private static final int MOST_ALIKE = 64;

    private final Map<Integer, List<Stretch>> byStart = new HashMap<>();
    private final SequencedSet<Stretch> byUse = new LinkedHashSet<>();
    private final Consumer<Stretch> forgotten;
    private long clock;
    private int launches;

    /// @param forgotten is told of each stretch that is no longer known
    Stretches(Consumer<Stretch> forgotten) {
        this.forgotten = forgotten;
    }

    /// The one used last of those that begin with this launch.
    Optional<Stretch> startingWith(Launch.Asked launch) {
        for (Stretch s : byStart.getOrDefault(launch.hash(), List.of())) {
            if (launch.is(s.at(0))) {
                return Optional.of(s);
            }
        }
        return Optional.empty();
    }

    /// One that begins as another does, and goes on with this launch.
    ///
    /// @param count launches of the beginning, one or more
    Optional<Stretch> branching(Stretch from, int count, Launch.Asked launch) {
        for (Stretch s : byStart.getOrDefault(from.startHash(), List.of())) {
            if (s.size() > count && launch.is(s.at(count)) && s.beginsAs(from, count)) {
                return Optional.of(s);
            }
        }
        return Optional.empty();
    }

    /// One that is the beginning of another.
    Optional<Stretch> beginning(Stretch of, int count) {
        return byStart.getOrDefault(of.startHash(), List.of()).stream().filter(s -> s.size() == count && s.beginsAs(of, count)).findFirst();
    }

    /// What was not used since this time is stale.
    long staleBefore() {
        return clock - PATIENCE;
    }

    void used(Stretch s) {
        clock += s.size();
        s.used(clock);
        if (byUse.remove(s)) {
            byUse.addLast(s);
            List<Stretch> alike = byStart.get(s.startHash());
            alike.remove(s);
            alike.addFirst(s);
        }
    }

    void add(Stretch s) {
        clock += s.size();
        while (launches + s.size() > MOST_LAUNCHES) {
            Stretch eldest = byUse.getFirst();
            if (eldest.used() > staleBefore()) {
                return;
            }
            forget(eldest);
        }
        List<Stretch> alike = byStart.computeIfAbsent(s.startHash(), _ -> new ArrayList<>());
        if (alike.size() == MOST_ALIKE) {
            forget(alike.getLast());
        }
        s.used(clock);
        alike.addFirst(s);
        byUse.addLast(s);
        launches += s.size();
    }

    private void forget(Stretch s) {
        List<Stretch> alike = byStart.get(s.startHash());
        alike.remove(s);
        if (alike.isEmpty()) {
            byStart.remove(s.startHash());
        }
        byUse.remove(s);
        launches -= s.size();
        forgotten.accept(s);
    }

    void clear() {
        byUse.forEach(forgotten);
        byUse.clear();
        byStart.clear();
        launches = 0;
    }
}
