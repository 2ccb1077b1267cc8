package dev.retrograd.core;

import java.util.IdentityHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Lays tensors into an arena as a plan says, and sees to it that no two share a byte: what comes otherwise than planned is left to the backend's
/// cache, from there to the end of the piece.
final class ArenaReplay {
    private final ArenaBlock arena;
    private final String scopeName;
    private final ArenaPlan plan;
    private final NavigableMap<Long, Long> taken = new TreeMap<>();
    private final Map<Storage, Long> placed = new IdentityHashMap<>();
    private Scope inside;
    private boolean astray;
    private int next;
    private long unplanned;

    ArenaReplay(ArenaBlock arena, String scopeName, ArenaPlan plan) {
        this.arena = arena;
        this.scopeName = scopeName;
        this.plan = plan;
    }

    long unplanned() {
        return unplanned;
    }

    boolean isEmpty() {
        return placed.isEmpty();
    }

    void opened(Scope scope) {
        if (inside == null && scope.name().equals(scopeName)) {
            inside = scope;
            next = 0;
            astray = !placed.isEmpty();
            if (!astray) {
                arena.reserve(plan.bytes());
            }
        }
    }

    void closed(Scope scope) {
        if (scope == inside) {
            inside = null;
        }
    }

    /// The next tensor's storage in the arena; empty where the plan has no place for it.
    Optional<Storage> place(String name, long bytes) {
        if (inside == null) {
            return Optional.empty();
        }
        astray |= next == plan.allocations() || plan.size(next) != bytes;
        long offset = astray ? ArenaPlan.ELSEWHERE : plan.offset(next++);
        if (astray || offset != ArenaPlan.ELSEWHERE && !isFree(offset, bytes)) {
            unplanned++;
            return Optional.empty();
        }
        if (offset == ArenaPlan.ELSEWHERE) {
            return Optional.empty();
        }
        Storage storage = arena.place(name, bytes, offset);
        taken.put(offset, offset + bytes);
        placed.put(storage, offset);
        return Optional.of(storage);
    }

    private boolean isFree(long offset, long bytes) {
        Map.Entry<Long, Long> below = taken.floorEntry(offset);
        Long above = taken.ceilingKey(offset);
        return (below == null || below.getValue() <= offset) && (above == null || above >= offset + bytes);
    }

    @Override public String toString() {
        return placed.keySet().stream().map(Storage::name).limit(5).collect(Collectors.joining(", "));
    }

    void freed(Storage storage) {
        Long offset = placed.remove(storage);
        if (offset != null) {
            taken.remove(offset);
        }
    }
}
