package dev.retrograd.trainer;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.plan.RecomputationPlan;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.trainer.method.KlGuard;
import dev.retrograd.trainer.method.Method;
import dev.retrograd.trainer.method.MicroBatch;
import dev.retrograd.trainer.method.Parts;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/// A model with trained weights and a method on one device, which computes micro-batches of a run's updates.
///
/// It stays on the thread that made it.
public final class Replica implements AutoCloseable {
    private final TrainLoop.Task task;
    private final TrainConfig config;
    private final Backend backend;
    private final Sampler sampler;
    private final Trainee trainee;
    private final Method method;
    private Segment.Policy policy;

    /// @param task on the replica's device; its prompts, start and what it tracks are the run's
    /// @throws SettingException if the settings do not fit the model or the reward
    /// @throws IllegalArgumentException if the weights to start from do not
    public Replica(TrainLoop.Task task, TrainConfig config) {
        this.task = task;
        this.config = config;
        policy = config.method().usualPolicy();
        backend = task.model().backend();
        sampler = new Sampler(task.model(), config.sampler());
        trainee = Trainee.of(task, config);
        method = config.method().start(new Parts(task.model(), config.sampler().chain(task.model()), task.reward(), config.loss(), path -> this.policy.of(path),
                new KlGuard(config.regularisers().kl(), trainee), trainee.noise()));
    }

    Sampler sampler() {
        return sampler;
    }

    Trainee trainee() {
        return trainee;
    }

    Method method() {
        return method;
    }

    Backend backend() {
        return backend;
    }

    /// What the tape stores and what it recomputes.
    Segment.Policy policy() {
        return policy;
    }

    /// What the tape stores and what it recomputes from now on, instead of the method's usual.
    void policy(Segment.Policy next) {
        policy = next;
    }

    /// The trained weights, on the host.
    float[][] weights() {
        return arrived(trainee.parameters().stream().map(p -> Optional.of(backend.startToFloats(p.value()))).toList());
    }

    /// Has the rewards compute ahead what they need of prompts, so that a micro-batch's memory does not depend on which prompts are new.
    void prepare(List<String> prompts) {
        if (task.reward() instanceof DifferentiableReward differentiable) {
            differentiable.prepare(prompts);
        }
        task.tracked().prepare(prompts);
    }

    /// Takes over weights that {@link #weights} gave, and what an update's plan recomputes.
    ///
    /// @throws IllegalArgumentException if they are not of as many values
    public void follow(float[][] weights, Optional<Set<String>> recomputed) {
        policy = recomputed.map(RecomputationPlan::policy).orElseGet(config.method()::usualPolicy);
        List<Parameter> own = trainee.parameters();
        if (own.size() != weights.length) {
            throw new IllegalArgumentException("replica: must get " + own.size() + " matrices of weights, got " + weights.length);
        }
        for (int i = 0; i < weights.length; i++) {
            Tensor value = own.get(i).value();
            try (Scope _ = backend.memory().open("weights")) {
                backend.convert(backend.floats("weights", value.shape(), weights[i]), value);
            }
        }
    }

    /// Computes a micro-batch with the present weights.
    ///
    /// @param number of the update, counted from 0
    /// @param progress hears how many further units of work are done
    public Computed compute(int number, MicroBatch batch, LongConsumer progress) {
        return compute(number, batch, Optional.empty(), progress);
    }

    /// @param places of the update's tensors
    Computed compute(int number, MicroBatch batch, Optional<Places> places, LongConsumer progress) {
        return compute(new UpdateDraws(task, config, sampler, trainee.images(), number), batch, places, progress);
    }

    /// @param draws fresh
    Computed compute(UpdateDraws draws, MicroBatch batch, Optional<Places> places, LongConsumer progress) {
        prepare(Arrays.stream(batch.images()).mapToObj(i -> draws.prompts(batch.draw(), i, 1).getFirst()).toList());
        try (Scope _ = backend.memory().open("replica"); Gradients gradients = new Gradients(backend)) {
            places.ifPresent(p -> backend.memory().replay(MicroBatch.SCOPE, p.of(batch, true)));
            MicroBatch.Result result = method.compute(draws, batch, gradients, progress);
            long unplanned = backend.memory().endReplay();
            float[][] values = arrived(trainee.parameters().stream().map(p -> gradients.of(p).map(backend::startToFloats)).toList());
            return new Computed(result, values, unplanned, draws.measured());
        }
    }

    /// Waits for values that were all asked for before; null where there are none.
    private static float[][] arrived(List<Optional<Supplier<float[]>>> started) {
        return started.stream().map(s -> s.map(Supplier::get).orElse(null)).toArray(float[][]::new);
    }

    /// Frees the trained weights.
    @Override public void close() {
        method.close();
        trainee.close();
    }
}
