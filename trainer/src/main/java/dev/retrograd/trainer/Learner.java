package dev.retrograd.trainer;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.trainer.method.KlGuard;
import dev.retrograd.trainer.method.Method;
import dev.retrograd.trainer.method.Outcome;
import dev.retrograd.trainer.method.Parts;
import dev.retrograd.trainer.method.Update;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/// What a run trains, and how: weights, optimiser, averages and method, on the model's backend.
///
/// An update is the same on a backend that computes and on one that only plans.
final class Learner implements AutoCloseable {
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Backend backend;
    private final Sampler sampler;
    private final Trainee trainee;
    private final AdamW optimizer;
    private final Optional<WeightEma> ema;
    private final Method method;
    private Segment.Policy policy;

    /// What an update gave beside changed weights.
    ///
    /// @param gradNorm global norm before clipping
    /// @param notFinite what of loss and gradients was not finite, by name; the weights were left as they are then
    record Step(Outcome outcome, double gradNorm, double learningRate, List<String> notFinite) {
    }

    /// @param policy what the tape stores and what it recomputes, until {@link #policy(Segment.Policy)} says otherwise
    /// @throws SettingException if the settings do not fit the model or the reward
    /// @throws IllegalArgumentException if the weights to start from do not
    Learner(TrainLoop.Task task, TrainConfig config, Segment.Policy policy) {
        this.task = task;
        this.config = config;
        this.policy = policy;
        backend = task.model().backend();
        sampler = new Sampler(task.model(), config.sampler());
        trainee = Trainee.of(task, config);
        optimizer = new AdamW(backend, trainee.parameters(), config.optimizer().adamw());
        OptionalDouble decay = config.optimizer().emaDecay();
        ema = decay.isPresent() ? Optional.of(new WeightEma(backend, trainee.parameters(), decay.getAsDouble())) : Optional.empty();
        method = config.method().start(new Parts(task.model(), config.sampler().chain(task.model()), task.reward(), config.loss(), path -> this.policy.of(path),
                new KlGuard(config.regularisers().kl(), trainee)));
    }

    Sampler sampler() {
        return sampler;
    }

    Trainee trainee() {
        return trainee;
    }

    AdamW optimizer() {
        return optimizer;
    }

    Optional<WeightEma> ema() {
        return ema;
    }

    Method method() {
        return method;
    }

    /// What the tape stores and what it recomputes.
    Segment.Policy policy() {
        return policy;
    }

    /// What the tape stores and what it recomputes from now on.
    void policy(Segment.Policy next) {
        policy = next;
    }

    /// Has the rewards compute ahead what they need of prompts, so that an update's memory does not depend on which prompts are new.
    void prepare(List<String> prompts) {
        if (task.reward() instanceof DifferentiableReward differentiable) {
            differentiable.prepare(prompts);
        }
        task.tracked().prepare(prompts);
    }

    /// Prompts of the images of an update.
    List<String> prompts(int number) {
        return task.prompts().draw(config.seed(), number, 0, config.batchSize());
    }

    private List<String> notFinite(Outcome outcome, Gradients gradients) {
        List<String> bad = new ArrayList<>();
        if (!Double.isFinite(outcome.loss())) {
            bad.add("loss");
        }
        for (Parameter p : trainee.parameters()) {
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

    /// Runs one update and changes the weights, unless the loss or a gradient is not finite.
    Step update(Update update) {
        int number = update.number();
        try (Scope _ = backend.memory().open("update " + (number + 1)); Gradients gradients = new Gradients(backend)) {
            Outcome outcome = method.update(update, gradients);
            GradientClip.Clipped clipped = config.optimizer().clip().apply(backend, gradients, trainee.parameters());
            double norm = clipped.norm(backend);
            List<String> notFinite = Double.isFinite(norm) && Double.isFinite(outcome.loss()) ? List.of() : notFinite(outcome, gradients);
            double rate = config.optimizer().schedule().at(number);
            if (notFinite.isEmpty()) {
                optimizer.step(gradients, rate, clipped.factor(), AdamW.Missing.REFUSE);
                ema.ifPresent(WeightEma::update);
            }
            backend.synchronize();
            return new Step(outcome, norm, rate, notFinite);
        }
    }

    /// Frees the trained weights and the optimiser's state.
    @Override public void close() {
        method.close();
        ema.ifPresent(WeightEma::close);
        optimizer.close();
        trainee.close();
    }
}
