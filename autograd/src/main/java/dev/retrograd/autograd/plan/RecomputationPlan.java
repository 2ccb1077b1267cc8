package dev.retrograd.autograd.plan;

import dev.retrograd.autograd.Segment;
import java.util.HashSet;
import java.util.Set;

/// Which segments to recompute, and what that takes.
///
/// @param recomputed paths of segments that keep their inputs only and run again; all others are stored
/// @param run what a planned run with it showed
public record RecomputationPlan(Set<String> recomputed, Pass run) {

    /// Runs a pass on a shape-only backend, watched.
    @FunctionalInterface
    public interface Simulation {
        Pass run(Segment.Policy policy);
    }

    public RecomputationPlan {
        recomputed = Set.copyOf(recomputed);
    }

    /// What to do about each segment of a run.
    public Segment.Policy policy() {
        return policy(recomputed);
    }

    /// Recomputes segments of these paths and stores all others.
    public static Segment.Policy policy(Set<String> recomputed) {
        return path -> recomputed.contains(path) ? Segment.Retention.RECOMPUTE : Segment.Retention.STORE;
    }

    /// Most bytes live at once.
    public long peak() {
        return run.peak();
    }

    /// What is computed, and how often again.
    public long flops() {
        return run.cost().flops();
    }

    /// A plan that does as a policy says.
    public static RecomputationPlan of(Simulation simulation, Segment.Policy policy) {
        Set<String> recomputed = new HashSet<>();
        Pass run = simulation.run(path -> {
            Segment.Retention how = policy.of(path);
            if (how == Segment.Retention.RECOMPUTE) {
                recomputed.add(path);
            }
            return how;
        });
        return new RecomputationPlan(recomputed, run);
    }
}
