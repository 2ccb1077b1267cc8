package dev.retrograd.trainer;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.plan.Pass;
import dev.retrograd.autograd.plan.Planner;
import dev.retrograd.autograd.plan.RecomputationPlan;
import dev.retrograd.autograd.plan.SegmentTrace;
import dev.retrograd.core.ArenaPlan;
import dev.retrograd.core.Lifetimes;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.trainer.method.MicroBatch;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Plans the updates of a run: runs them on a shape-only backend, which tells their memory to the byte before they run, and chooses what to
/// recompute under a budget.
///
/// It follows the run update by update, with the same prompts and the same draws. A choice is made for each set of denoising steps that
/// a draw keeps, so it holds for every draw. Micro-batches after the second are like the second and are left out; the last one is not if it is smaller.
public final class UpdatePlanner implements AutoCloseable {
    private static final int LIKE_ALL_OTHERS = 2;

    private final PlanBackend plan;
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Optional<Budget> budget;
    private final Learner learner;
    private final Map<Set<String>, RecomputationPlan> chosen = new HashMap<>();
    private Lifetimes lifetimes = new Lifetimes(MicroBatch.SCOPE, DdimChain::isStep);
    private final List<Kind> computed = new ArrayList<>();

    /// Memory that a run may take.
    ///
    /// @param bytes in all
    /// @param beside of them, what is no tensor's
    /// @param graphs whether CUDA graphs are among that
    public record Budget(long bytes, long beside, boolean graphs) {
    }

    /// What makes micro-batches of one update alike in memory.
    ///
    /// @param first whether no other went into the same gradients before
    private record Kind(String what, int images, boolean first) {
        static Kind of(MicroBatch batch, boolean first) {
            return new Kind(batch.kind(), batch.count(), first);
        }
    }

    /// @param task on the shape-only backend, the model of {@link dev.retrograd.unet.StableDiffusion#shapes}; closed by the caller
    /// @param budget that updates must keep to; empty for the usual policy
    public UpdatePlanner(TrainLoop.Task task, TrainConfig config, Optional<Budget> budget) {
        this.task = task;
        this.config = config;
        this.budget = budget;
        plan = (PlanBackend) task.model().backend();
        plan.readZeros();
        learner = new Learner(task, config);
    }

    public PlanBackend backend() {
        return plan;
    }

    /// Images that stand for all of an update's.
    public int images() {
        Optional<FixedImages> fixed = learner.trainee().images();
        if (fixed.isPresent()) {
            return fixed.get().prompts().size();
        }
        int micro = config.microBatchSize();
        int rest = config.batchSize() % micro;
        return Math.min(config.batchSize(), LIKE_ALL_OTHERS * micro + rest);
    }

    /// Has the rewards of the plan know these prompts as those of the run do.
    public void prepare(List<String> prompts) {
        learner.prepare(prompts);
    }

    /// Runs an update, without making a choice.
    public Pass simulate(int number, Segment.Policy policy) {
        lifetimes = new Lifetimes(MicroBatch.SCOPE, DdimChain::isStep);
        computed.clear();
        SegmentTrace trace = new SegmentTrace(plan, policy, lifetimes);
        learner.policy(trace);
        learner.update(new UpdateDraws(task, config, learner.sampler(), learner.trainee().images(), number, images()), Crew.ALONE, Optional.empty(),
                Optional.of((batch, first) -> {
                    computed.add(Kind.of(batch, first));
                    return ArenaPlan.EMPTY;
                }));
        return trace.end();
    }

    /// The plan of an update.
    ///
    /// @param number counted from 0
    /// @throws SettingException if none keeps to the budget
    public RecomputationPlan plan(int number) {
        prepare(learner.prompts(number));
        RecomputationPlan usual = RecomputationPlan.of(policy -> simulate(number, policy), config.method().usualPolicy());
        if (budget.isEmpty()) {
            return usual;
        }
        RecomputationPlan known = chosen.get(usual.recomputed());
        if (known == null) {
            known = within(budget.get(), new Planner(policy -> simulate(number, policy)));
            chosen.put(usual.recomputed(), known);
        }
        return new RecomputationPlan(known.recomputed(), simulate(number, known.policy()));
    }

    /// Where the tensors of each micro-batch of the update that was planned last lie in one block. One of a kind that was not planned has no places.
    Places places() {
        List<ArenaPlan> plans = lifetimes.plans();
        Map<Kind, ArenaPlan> byKind = new HashMap<>();
        for (int i = 0; i < plans.size(); i++) {
            byKind.put(computed.get(i), plans.get(i));
        }
        return (batch, first) -> byKind.getOrDefault(Kind.of(batch, first), ArenaPlan.EMPTY);
    }

    private RecomputationPlan within(Budget allowed, Planner planner) {
        Optional<RecomputationPlan> found = planner.within(allowed.bytes - allowed.beside);
        return found.orElseThrow(() -> new SettingException("--memory: must be " + (planner.smallest().peak() + allowed.beside)
                + " bytes or more for these settings, got " + allowed.bytes + advice(allowed)));
    }

    private String advice(Budget allowed) {
        StringBuilder flags = new StringBuilder("; less is needed with");
        if (allowed.graphs) {
            flags.append(" --cuda-graphs off,");
        }
        if (config.microBatchSize() > 1) {
            flags.append(" a smaller --micro-batch-size,");
        }
        if (config.sampler().guidance() > 1) {
            flags.append(" --guidance 1,");
        }
        flags.append(" a smaller --height and --width");
        if (config.method().trainsWeights()) {
            flags.append(", or ").append(config.trainable() == Trainable.FULL ? "--trainable lora" : "a smaller --lora-rank");
        }
        return flags.toString();
    }

    @Override public void close() {
        learner.close();
    }
}
