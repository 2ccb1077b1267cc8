package dev.retrograd.autograd.plan;

import dev.retrograd.autograd.Segment;
import java.util.Optional;

/// Chooses what to store and what to recompute under a budget: the least recomputation whose peak keeps to it.
///
/// Two runs on a shape-only backend, one that stores everything and one that recomputes everything, say what each segment takes; {@link Budgeted} finds
/// the best choice among all of them, nested segments too; a third run shows what it really takes. Where segments share what they
/// keep, which the search counts once for each, the search is repeated with the difference allowed for.
public final class Planner {
    private static final int MOST_TRIES = 8;

    private final RecomputationPlan.Simulation simulation;
    private final RecomputationPlan stored;
    private final Budgeted search;

    public Planner(RecomputationPlan.Simulation simulation) {
        this.simulation = simulation;
        stored = RecomputationPlan.of(simulation, Segment.Policy.STORE_ALL);
        search = new Budgeted(SegmentCosts.of(stored.run(), simulation.run(Segment.Policy.RECOMPUTE_ALL)));
    }

    /// The plan that recomputes nothing.
    public RecomputationPlan stored() {
        return stored;
    }

    /// The plan with the smallest peak.
    public RecomputationPlan smallest() {
        return run(search.within(search.least()).orElseThrow());
    }

    private RecomputationPlan run(Budgeted.Found found) {
        return RecomputationPlan.of(simulation, new RecomputationPlan(found.recomputed(), stored.run()).policy());
    }

    /// The cheapest plan with a peak of at most `budget` bytes; empty if there is none.
    public Optional<RecomputationPlan> within(long budget) {
        if (stored.peak() <= budget) {
            return Optional.of(stored);
        }
        Optional<RecomputationPlan> best = Optional.empty();
        long target = budget;
        for (int i = 0; i < MOST_TRIES; i++) {
            Optional<Budgeted.Found> found = search.within(target);
            if (found.isEmpty()) {
                break;
            }
            RecomputationPlan plan = run(found.get());
            boolean fits = plan.peak() <= budget;
            if (fits && (best.isEmpty() || plan.flops() < best.get().flops())) {
                best = Optional.of(plan);
            }
            // How far the search was off is allowed for in the next one.
            long next = fits ? budget + found.get().peak() - plan.peak() : target - (plan.peak() - budget);
            if (fits ? next <= target : best.isPresent()) {
                break;
            }
            target = next;
        }
        return best.or(() -> Optional.of(smallest()).filter(p -> p.peak() <= budget));
    }
}
