package dev.retrograd.autograd.plan;

import dev.retrograd.autograd.Segment;
import dev.retrograd.core.Memory;
import dev.retrograd.core.MemoryObserver;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Storage;
import dev.retrograd.core.Tensor;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;

/// Watches a planned run: which segments ran, nested in which, and how many bytes were live.
///
/// It is the run's policy as well, as that is how it hears which scopes are segments: it hands on to the policy that it was given.
///
/// ```java
/// SegmentTrace trace = new SegmentTrace(plan, Segment.Policy.STORE_ALL);
/// ... // run with the policy `trace`
/// Pass all = trace.end();
/// ```
public final class SegmentTrace implements Segment.Policy {
    private static final String BACKWARD = " backward";

    private final PlanBackend plan;
    private final Segment.Policy policy;
    private final Set<String> segments = new HashSet<>();
    private final Set<Storage> made = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Deque<Open> open = new ArrayDeque<>();
    private final Map<Pass.Call, Long> calls = new HashMap<>();
    private long flops;
    private long bytes;
    private long count;
    private long live;
    private long gap;

    private record Open(Pass pass, Scope scope, PlanBackend.Cost begun) {
    }

    /// Begins to watch; one trace at a time.
    ///
    /// @param plan runs nothing of this kind yet: what is live is taken for weights
    public SegmentTrace(PlanBackend plan, Segment.Policy policy) {
        this(plan, policy, MemoryObserver.NONE);
    }

    /// @param beside is shown what happens to memory as well
    public SegmentTrace(PlanBackend plan, Segment.Policy policy, MemoryObserver beside) {
        this.plan = plan;
        this.policy = policy;
        Memory memory = plan.memory();
        live = memory.liveBytes();
        gap = live;
        open.push(new Open(new Pass("", false, live), memory.current(), PlanBackend.Cost.ZERO));
        memory.observe(MemoryObserver.both(new Scopes(), beside));
        plan.observe(this::called);
    }

    @Override public Segment.Retention of(String path) {
        segments.add(path);
        return policy.of(path);
    }

    /// Ends watching.
    ///
    /// @return what lies around all segments
    public Pass end() {
        plan.memory().observe(MemoryObserver.NONE);
        plan.observe((_, _, _) -> { });
        close(open.peek());
        open.peek().pass().calls = calls;
        return open.pop().pass();
    }

    private PlanBackend.Cost soFar() {
        return new PlanBackend.Cost(flops, bytes, count);
    }

    private void close(Open o) {
        o.pass().gaps.add(gap);
        o.pass().cost = new PlanBackend.Cost(flops - o.begun().flops(), bytes - o.begun().bytes(), count - o.begun().calls());
        o.pass().after = live;
        gap = live;
    }

    private void called(String kernel, PlanBackend.Cost cost, Tensor... operands) {
        calls.merge(new Pass.Call(kernel, cost.flops(), cost.bytes()), cost.calls(), Long::sum);
        flops += cost.flops();
        bytes += cost.bytes();
        count += cost.calls();
        for (Tensor t : operands) {
            if (!made.contains(t.storage())) {
                open.peek().pass().used(t.storage());
            }
        }
    }

    private final class Scopes implements MemoryObserver {
        @Override public void opened(Scope scope) {
            String name = scope.name();
            String path = name.endsWith(BACKWARD) ? name.substring(0, name.length() - BACKWARD.length()) : name;
            if (!segments.contains(path)) {
                return;
            }
            Pass inside = new Pass(path, path.length() < name.length(), live);
            Pass around = open.peek().pass();
            around.gaps.add(gap);
            around.inside.add(inside);
            open.push(new Open(inside, scope, soFar()));
            gap = live;
        }

        @Override public void closed(Scope scope) {
            if (open.peek().scope() == scope && open.size() > 1) {
                close(open.pop());
            }
        }

        @Override public void allocated(Storage storage) {
            made.add(storage);
            live += storage.bytes();
            gap = Math.max(gap, live);
        }

        @Override public void freed(Storage storage) {
            live -= storage.bytes();
        }
    }
}
