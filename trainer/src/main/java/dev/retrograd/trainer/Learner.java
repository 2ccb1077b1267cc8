package dev.retrograd.trainer;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.trainer.method.Method;
import dev.retrograd.trainer.method.MicroBatch;
import dev.retrograd.trainer.method.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/// What a run trains, and how: weights, optimiser, averages and method, on the model's backend.
///
/// An update is the same on a backend that computes and on one that only plans.
final class Learner implements AutoCloseable {
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Backend backend;
    private final Replica replica;
    private final Optimizer optimizer;
    private final Optional<WeightEma> ema;
    /// of the update that goes on
    private long unplanned;

    /// What an update gave beside changed weights.
    ///
    /// @param gradNorm global norm before clipping
    /// @param unplanned tensors on all devices that came otherwise than planned
    /// @param notFinite what of loss and gradients was not finite, by name; the weights were left as they are then
    record Step(Outcome outcome, double gradNorm, double learningRate, long unplanned, List<String> notFinite) {
    }

    /// @throws SettingException if the settings do not fit the model or the reward
    /// @throws IllegalArgumentException if the weights to start from do not
    Learner(TrainLoop.Task task, TrainConfig config) {
        this.task = task;
        this.config = config;
        backend = task.model().backend();
        replica = new Replica(task, config);
        List<Parameter> trained = trainee().parameters();
        optimizer = trainee().optimizer();
        OptionalDouble decay = config.optimizer().emaDecay();
        ema = decay.isPresent() ? Optional.of(new WeightEma(backend, trained, decay.getAsDouble())) : Optional.empty();
    }

    Sampler sampler() {
        return replica.sampler();
    }

    Trainee trainee() {
        return replica.trainee();
    }

    Optimizer optimizer() {
        return optimizer;
    }

    Optional<WeightEma> ema() {
        return ema;
    }

    Method method() {
        return replica.method();
    }

    /// What the tape stores and what it recomputes.
    Segment.Policy policy() {
        return replica.policy();
    }

    /// What the tape stores and what it recomputes from now on, instead of the method's usual.
    void policy(Segment.Policy next) {
        replica.policy(next);
    }

    /// Has the rewards compute ahead what they need of prompts, so that an update's memory does not depend on which prompts are new.
    void prepare(List<String> prompts) {
        replica.prepare(prompts);
    }

    /// Prompts of the images of an update.
    List<String> prompts(int number) {
        return trainee().images().map(FixedImages::prompts).orElseGet(() -> task.prompts().draw(config.seed(), number, 0, config.batchSize()));
    }

    private List<String> notFinite(Outcome outcome, Gradients gradients) {
        List<String> bad = new ArrayList<>();
        if (!Double.isFinite(outcome.loss())) {
            bad.add("loss");
        }
        for (Parameter p : trainee().parameters()) {
            if (gradients.of(p).isPresent() && !isFinite(backend.toFloats(gradients.of(p).get()))) {
                bad.add("gradient of " + p.name());
            }
        }
        return bad.isEmpty() ? List.of("gradient norm") : bad;
    }

    private static boolean isFinite(float[] values) {
        for (float v : values) {
            if (!Float.isFinite(v)) {
                return false;
            }
        }
        return true;
    }

    /// Computes micro-batches one after the other into the same gradients: for those of a whole model there is no room twice.
    private List<MicroBatch.Result> compute(UpdateDraws draws, List<MicroBatch> batches, Optional<Places> places, String what, long total, Gradients gradients) {
        draws.progress(what, 0, total);
        long[] all = new long[1];
        List<MicroBatch.Result> results = new ArrayList<>();
        for (MicroBatch batch : batches) {
            places.ifPresent(p -> backend.memory().replay(MicroBatch.SCOPE, p.of(batch, results.isEmpty())));
            results.add(method().compute(draws, batch, gradients, done -> {
                all[0] += done;
                draws.progress(what, all[0], total);
            }));
            unplanned += backend.memory().endReplay();
        }
        return results;
    }

    /// Has a crew compute micro-batches, and adds up what comes.
    private List<MicroBatch.Result> compute(UpdateDraws draws, Crew crew, Crew.Work work, String what, long total, Gradients gradients) {
        GradientSum sum = new GradientSum(work.batches().size(), trainee().parameters().size());
        draws.progress(what, 0, total);
        Object turn = new Object();
        long[] all = new long[1];
        crew.compute(work, (batch, progress) -> replica.compute(draws.again(), batch, work.places(), progress), new Crew.Done() {
            @Override public void take(int number, Computed computed) {
                synchronized (turn) {
                    sum.take(number, computed);
                }
            }

            @Override public void progressed(long done) {
                synchronized (turn) {
                    all[0] += done;
                    draws.progress(what, all[0], total);
                }
            }
        });
        sum.into(gradients, backend, trainee().parameters());
        return sum.all().stream().map(c -> {
            draws.measured(c.measured());
            unplanned += c.unplanned();
            return c.result();
        }).toList();
    }

    /// Runs one update and changes the weights, unless the loss or a gradient is not finite.
    ///
    /// @param draws takes what is measured
    /// @param recomputed as the update's plan has it, for replicas; empty where there is none
    /// @param places likewise, for all
    Step update(UpdateDraws draws, Crew crew, Optional<Set<String>> recomputed, Optional<Places> places) {
        int number = draws.number();
        unplanned = 0;
        try (Scope _ = backend.memory().open("update " + (number + 1)); Gradients gradients = new Gradients(backend)) {
            Outcome outcome = method().update(draws, (batches, what, total, into) -> config.trainable() == Trainable.FULL
                    ? compute(draws, batches, places, what, total, into)
                    : compute(draws, crew, new Crew.Work(number, replica::weights, batches, recomputed, places), what, total, into), gradients);
            GradientClip.Clipped clipped = config.optimizer().clip().apply(backend, gradients, trainee().parameters());
            double norm = clipped.norm(backend);
            List<String> notFinite = Double.isFinite(norm) && Double.isFinite(outcome.loss()) ? List.of() : notFinite(outcome, gradients);
            double rate = config.optimizer().schedule().at(number);
            if (notFinite.isEmpty()) {
                optimizer.step(gradients, rate, clipped.factor());
                ema.ifPresent(WeightEma::update);
            }
            backend.synchronize();
            return new Step(outcome, norm, rate, unplanned, notFinite);
        }
    }

    /// Frees the trained weights and the optimiser's state.
    @Override public void close() {
        ema.ifPresent(WeightEma::close);
        optimizer.close();
        replica.close();
    }
}
