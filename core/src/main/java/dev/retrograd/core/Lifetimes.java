package dev.retrograd.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// Records when tensors are made and freed inside the scopes of one name, so that a run of the same can lay them into one block.
///
/// ```java
/// Lifetimes lifetimes = new Lifetimes("micro-batch");
/// plan.memory().observe(lifetimes);
/// … // an update on the shape-only backend
/// List<ArenaPlan> plans = lifetimes.plans();
/// ```
public final class Lifetimes implements MemoryObserver {
    private final String name;
    private final List<Piece> pieces = new ArrayList<>();
    private final Map<Storage, Integer> living = new IdentityHashMap<>();
    private long[] sizes = new long[1024];
    private int made;
    private int[] events = new int[2048];
    private int happened;
    private Scope inside;

    private final Predicate<String> alike;
    private int[] cuts = new int[64];
    private int cut;
    private Scope part;

    private record Piece(long[] sizes, int[] events, int... cuts) {
    }

    /// @param scope name of the scopes; one inside another of the same name is part of it
    public Lifetimes(String scope) {
        this(scope, _ -> false);
    }

    /// @param alike names of scopes inside that do the same work again and again, and are to find their tensors at the same places each time
    public Lifetimes(String scope, Predicate<String> alike) {
        name = scope;
        this.alike = alike;
    }

    /// A plan for each scope that closed, in order.
    public List<ArenaPlan> plans() {
        return pieces.stream().map(p -> ArenaPlan.of(p.sizes, p.events, p.cuts)).toList();
    }

    @Override public void opened(Scope scope) {
        if (inside == null && scope.name().equals(name)) {
            inside = scope;
            living.clear();
            made = 0;
            happened = 0;
            cut = 0;
        } else if (inside != null && part == null && alike.test(scope.name())) {
            part = scope;
            cut();
        }
    }

    @Override public void closed(Scope scope) {
        if (scope == part) {
            part = null;
            cut();
        } else if (scope == inside) {
            inside = null;
            pieces.add(new Piece(Arrays.copyOf(sizes, made), Arrays.copyOf(events, happened), Arrays.copyOf(cuts, cut)));
        }
    }

    private void cut() {
        if (cut == cuts.length) {
            cuts = Arrays.copyOf(cuts, 2 * cut);
        }
        cuts[cut++] = happened;
    }

    @Override public void allocated(Storage storage) {
        if (inside != null) {
            if (made == sizes.length) {
                sizes = Arrays.copyOf(sizes, 2 * made);
            }
            sizes[made] = storage.bytes();
            living.put(storage, made);
            happen(made++);
        }
    }

    @Override public void freed(Storage storage) {
        Integer i = inside == null ? null : living.remove(storage);
        if (i != null) {
            happen(~i);
        }
    }

    private void happen(int event) {
        if (happened == events.length) {
            events = Arrays.copyOf(events, 2 * happened);
        }
        events[happened++] = event;
    }
}
