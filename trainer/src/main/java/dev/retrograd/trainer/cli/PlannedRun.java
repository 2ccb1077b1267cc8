package dev.retrograd.trainer.cli;

import dev.retrograd.autograd.plan.Pass;
import dev.retrograd.autograd.plan.RecomputationPlan;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.TrainConfig;
import dev.retrograd.trainer.TrainLoop;
import dev.retrograd.trainer.UpdatePlanner;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/// A training run on a shape-only backend: the same model, rewards and settings, without values.
final class PlannedRun implements AutoCloseable {
    private final PlanBackend plan;
    private final StableDiffusion model;
    private final Reward reward;
    private final Tracked tracked;
    private final Optional<ImageFeatures> clip;
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Optional<UpdatePlanner.Budget> budget;
    private final Held held;
    private final long graphs;

    /// Bytes that live as long as the run.
    ///
    /// @param model text encoder, UNet and VAE decoder
    /// @param rewards models and constants of the reward and of what is measured beside it
    /// @param training LoRA or float32 copies of the UNet's weights, the optimiser's moments, averages
    record Held(long model, long rewards, long training) {
        long all() {
            return model + rewards + training;
        }
    }

    /// @param plan stands for the backend that the run takes place on; with its workspace
    /// @param model without values, on `plan`; closed with this
    /// @param graphs whether that backend submits launches as graphs
    /// @throws SettingException if the budget is below the workspace, or the settings do not fit the model
    PlannedRun(TrainOptions options, TrainOptions.Request request, PlanBackend plan, StableDiffusion model, boolean graphs) throws IOException {
        this.plan = plan;
        this.model = model;
        config = options.config(request, model);
        long beforeRewards = plan.memory().liveBytes();
        reward = request.reward().on(plan);
        tracked = options.tracked(request, plan);
        clip = options.clip(plan);
        task = options.task(request, model, reward, tracked, clip);
        long beforeTraining = plan.memory().liveBytes();
        try (UpdatePlanner _ = new UpdatePlanner(task, config, Optional.empty())) {
            held = new Held(beforeRewards, beforeTraining - beforeRewards, plan.memory().liveBytes() - beforeTraining);
        }
        this.graphs = graphs ? GraphUse.planned(launches()) : 0;
        long least = beside() + held.all();
        request.memory().ifPresent(bytes -> SettingException.require(bytes > least, "--memory", "more than the " + ByteSize.show(least) + " of weights and workspace" + (graphs ? " and CUDA graphs (--cuda-graphs off does without)" : ""), ByteSize.show(bytes)));
        budget = request.memory().isPresent() ? Optional.of(new UpdatePlanner.Budget(request.memory().getAsLong(), beside(), graphs)) : Optional.empty();
    }

    /// Kernels of an update by the usual policy, of which only those that graphs may hold are counted where there is no plan.
    private long launches() {
        return config.method().needsGradient() ? plan(most(config), Optional.empty()).run().cost().calls() : GraphUse.MOST_LAUNCHES;
    }

    /// Bytes that are no tensor's: workspace, and graphs at most.
    long beside() {
        return plan.workspaceBytes() + graphs;
    }

    /// Bytes of graphs of launches at most.
    long graphs() {
        return graphs;
    }

    TrainConfig config() {
        return config;
    }

    Held held() {
        return held;
    }

    PlanBackend backend() {
        return plan;
    }

    /// Follows the run; empty for a method that differentiates no reward, which has no plan.
    Optional<UpdatePlanner> planner() {
        return config.method().needsGradient() ? Optional.of(new UpdatePlanner(task, config, budget)) : Optional.empty();
    }

    /// Plans an update by a method, which may be another one than the run's.
    ///
    /// @throws SettingException if there is no plan for the method, or none keeps to the budget
    RecomputationPlan plan(MethodSettings method) {
        return plan(method, budget);
    }

    private RecomputationPlan plan(MethodSettings method, Optional<UpdatePlanner.Budget> within) {
        SettingException.require(method.needsGradient(), "--method", "one that differentiates the reward, to have a plan", method.id());
        try (UpdatePlanner planner = new UpdatePlanner(task, config.with(method), within)) {
            return planner.plan(0);
        }
    }

    /// The plan of an update with as many differentiated steps as one can have.
    RecomputationPlan most() {
        return plan(most(config));
    }

    private static MethodSettings most(TrainConfig config) {
        OptionalInt k = config.method().mostSteps(config.sampler().steps());
        return k.isPresent() ? config.method().withSteps(k.getAsInt()) : config.method();
    }

    /// Bytes that are live as the fullest segment begins, beside those that live as long as the run.
    long boundaries(Pass run) {
        return run.fullest().map(Pass::open).orElse(run.peak()) - held.all();
    }

    /// Images of an update, of which a plan runs those that differ.
    double repeats() {
        try (UpdatePlanner planner = new UpdatePlanner(task, config, Optional.empty())) {
            return (double) config.batchSize() / planner.images();
        }
    }

    /// What to tell before the first update: the peak and what it consists of, and what is recomputed.
    List<String> summary() {
        if (!config.method().needsGradient()) {
            return List.of("memory: no plan for method " + config.method().id());
        }
        RecomputationPlan most = most();
        Pass run = most.run();
        List<String> lines = new ArrayList<>();
        String segment = run.fullest().map(p -> ByteSize.show(p.peak() - p.open()) + " in " + p.path() + (p.backward() ? " backward" : "")).orElse("none");
        lines.add("memory: " + ByteSize.show(run.peak()) + " of tensors at most: model " + ByteSize.show(held.model()) + ", rewards " + ByteSize.show(held.rewards()) + ", trained weights and optimiser "
                + ByteSize.show(held.training()) + ", boundaries and gradients " + ByteSize.show(boundaries(run)) + ", largest segment " + segment + "; workspace " + ByteSize.show(plan.workspaceBytes())
                + (graphs > 0 ? ", CUDA graphs at most " + ByteSize.show(graphs) : ""));
        lines.add(String.format(Locale.ROOT, "recomputed: %d segments, %.1f %% of an update's FLOPs%s", most.recomputed().size(), 100.0 * run.recomputedFlops() / run.cost().flops(),
                budget.isEmpty() ? "; --memory chooses otherwise" : ""));
        return lines;
    }

    @Override public void close() {
        clip.ifPresent(ImageFeatures::close);
        tracked.close();
        reward.close();
        model.close();
        plan.close();
    }
}
