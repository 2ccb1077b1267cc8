package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.unet.diffusion.DdimChain;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Denoising diffusion policy optimisation: each denoising step is an action, rewarded by the advantage of its image, and PPO makes the steps of good
/// images likelier. Needs only the reward's value. Source: DDPO-IS (arXiv 2305.13301). Parity: ddpo-pytorch.
///
/// An epoch samples `updates · images` images, and goes through them once or several times (inner epochs), `images` per update, shuffled; an
/// update adds up the gradients of all its images and trained steps. Log-probabilities are those of the sampler's Gaussian steps, averaged over the
/// latent, with guidance in sampling and training.
final class Ddpo implements Method {
    private static final String TRAIN = "train";
    private static final String PROMPT = "prompt ";
    private static final String LATENTS = "latents.";
    private static final String LOG_PROBABILITIES = "log_probabilities";
    private static final String REWARDS = Sampling.REWARDS;
    private static final String ADVANTAGES = "advantages";
    private static final int SHUFFLE = 1;
    private static final int TIMESTEPS = 2;

    private final Parts parts;
    private final DdpoSettings settings;
    private final Backend backend;
    private final PpoLoss loss;
    private final PromptStatistics statistics;
    private final int[] noisy;
    private Optional<Rollouts> rollouts = Optional.empty();

    public Ddpo(Parts parts, DdpoSettings settings) {
        this.parts = parts;
        this.settings = settings;
        backend = parts.model().backend();
        loss = new PpoLoss(settings.clipRange(), settings.advantageClip());
        statistics = new PromptStatistics(settings.buffer(), settings.minimum());
        DdimChain chain = parts.chain();
        // A step without noise, as the last one is under some schedules, has no density.
        noisy = IntStream.range(0, chain.schedule().steps()).filter(i -> chain.schedule().coefficients(i, chain.eta()).sigma() > 0).toArray();
    }

    @Override public Outcome update(Update update, MicroBatches batches, Gradients gradients) {
        int perEpoch = settings.updates() * settings.innerEpochs();
        int within = update.number() % perEpoch;
        Map<String, float[]> before = statistics.state();
        boolean done = false;
        try {
            Outcome outcome = update(update, batches, within, gradients);
            if (within == perEpoch - 1) {
                rollouts = Optional.empty();
            }
            done = true;
            return outcome;
        } finally {
            if (!done) {
                // An update that was broken off has not been: a checkpoint may be written now.
                statistics.restore(before);
                rollouts = within == 0 ? Optional.empty() : rollouts;
            }
        }
    }

    private Outcome update(Update update, MicroBatches batches, int within, Gradients gradients) {
        if (within == 0) {
            rollouts = Optional.of(sample(update, batches, gradients));
        }
        Rollouts all = rollouts.orElseThrow(() -> new IllegalStateException("ddpo: an epoch must go on with the images that it sampled, got none"));
        int[] shuffled = update.stream(all.draw(), SHUFFLE, within / settings.updates()).randperm(all.images());
        int from = within % settings.updates() * update.images();
        return train(update, batches, all, Arrays.copyOfRange(shuffled, from, from + update.images()), gradients);
    }

    @Override public MicroBatch.Result compute(Update update, MicroBatch batch, Gradients gradients, LongConsumer done) {
        return batch.kind().equals(TRAIN) ? differentiate(update, batch, gradients, done) : Sampling.compute(update, batch, parts, done, this::take);
    }

    /// Latents of all steps, and log-probabilities of those that have them, of each image.
    private void take(DdimChain.Trajectory t, SequencedMap<String, float[]> columns) {
        int steps = parts.chain().schedule().steps();
        int count = t.last().dim(0);
        float[] logs = new float[count * steps];
        for (int i = 0; i <= steps; i++) {
            columns.put(LATENTS + i, backend.toFloats(t.latents().get(i).value()));
        }
        for (int i : noisy) {
            float[] step = backend.toFloats(parts.chain().step(i).logProbability(t.latents().get(i), t.predictions().get(i), t.latents().get(i + 1)).value());
            for (int image = 0; image < count; image++) {
                logs[image * steps + i] = step[image];
            }
        }
        columns.put(LOG_PROBABILITIES, logs);
    }

    private Rollouts sample(Update update, MicroBatches batches, Gradients gradients) {
        int total = settings.updates() * update.images();
        Rollouts all = new Rollouts(update.number(), total);
        Sampling.Rewards rewards = Sampling.of(update, batches, parts, total, all, gradients);
        all.put(ADVANTAGES, 0, total, statistics.advantages(update.prompts(update.number(), 0, total), rewards.gains()));
        return all;
    }

    private Outcome train(Update update, MicroBatches batches, Rollouts all, int[] chosen, Gradients gradients) {
        int[] steps = trained(update);
        List<String> names = Stream.concat(Arrays.stream(steps).flatMap(i -> IntStream.of(i, i + 1)).distinct().mapToObj(i -> LATENTS + i), Stream.of(LOG_PROBABILITIES, ADVANTAGES)).toList();
        List<MicroBatch.Result> results = batches.compute(all.microBatches(TRAIN, update.microBatch(), chosen, names), "update " + (update.number() + 1), (long) chosen.length * steps.length, gradients);
        double[] sums = new double[3];
        for (MicroBatch.Result r : results) {
            for (int i = 0; i < sums.length; i++) {
                sums[i] += r.sums()[i];
            }
        }
        double weight = weight(update, steps);
        SequencedMap<String, Double> details = new LinkedHashMap<>();
        details.put("approx_kl", sums[1] * weight);
        details.put("clip_fraction", sums[2] * weight);
        return new Outcome(steps.length, all.of(REWARDS, chosen), sums[0] * weight, details);
    }

    /// Share of an image and step in the update.
    private static double weight(Update update, int... steps) {
        return 1.0 / ((double) update.images() * steps.length);
    }

    private MicroBatch.Result differentiate(Update update, MicroBatch part, Gradients gradients, LongConsumer done) {
        int[] steps = trained(update);
        Sums sums = new Sums();
        List<String> prompts = Arrays.stream(part.images()).mapToObj(i -> update.prompts(part.draw(), i, 1).getFirst()).toList();
        try (Scope _ = backend.memory().open(MicroBatch.SCOPE)) {
            Tensor context = update.context(prompts);
            for (int step : steps) {
                try (Scope _ = backend.memory().open("timestep"); Tape tape = new Tape(backend, parts.policy())) {
                    differentiate(tape, part, update.latents(part.count()), step, tape.constant(context), weight(update, steps), gradients, sums);
                }
                done.accept(part.count());
            }
        }
        return new MicroBatch.Result(new LinkedHashMap<>(), sums.loss, sums.kl, sums.clipped);
    }

    /// Sums over images and steps.
    private static final class Sums {
        private double loss;
        private double kl;
        private double clipped;
    }

    private void differentiate(Tape tape, MicroBatch part, Shape size, int step, Var context, double weight, Gradients gradients, Sums sums) {
        int count = part.count();
        Var x = tape.constant(backend.floats("x", size, part.columns().get(LATENTS + step)));
        Var next = tape.constant(backend.floats("next", size, part.columns().get(LATENTS + (step + 1))));
        float[] logs = part.columns().get(LOG_PROBABILITIES);
        float[] old = new float[count];
        for (int i = 0; i < count; i++) {
            old[i] = logs[i * (logs.length / count) + step];
        }
        Var advantages = tape.constant(backend.floats("advantages", Shape.of(count), part.columns().get(ADVANTAGES)));
        Var eps = parts.chain().predict(step, x, context);
        Var now = parts.chain().step(step).logProbability(x, eps, next);
        PpoLoss.Terms terms = loss.of(now, tape.constant(backend.floats("old", Shape.of(count), old)), advantages);
        Var losses = parts.guard().active()
                ? terms.losses().plus(parts.guard().penalty(eps, () -> parts.chain().predict(step, x, context)).affine(parts.guard().coefficient(), 0)) : terms.losses();
        Supplier<float[]> lossValues = backend.startToFloats(losses.value());
        Supplier<float[]> logValues = backend.startToFloats(now.value());
        Supplier<float[]> ratios = backend.startToFloats(terms.ratio().value());
        tape.backward(losses.apply(SumTo.all()).affine(weight, 0), gradients);
        for (float l : lossValues.get()) {
            sums.loss += l;
        }
        sums.kl += PpoLoss.approximateKl(logValues.get(), old) * count;
        sums.clipped += loss.clippedShare(ratios.get()) * count;
    }

    /// The steps of this update: all, or a random share of them.
    private int[] trained(Update update) {
        int count = (int) Math.max(1, Math.rint(settings.timestepFraction() * noisy.length));
        int[] order = update.stream(update.number(), TIMESTEPS).randperm(noisy.length);
        return Arrays.stream(order).limit(count).map(i -> noisy[i]).sorted().toArray();
    }

    @Override public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        statistics.state().forEach((prompt, values) -> state.put(PROMPT + prompt, backend.floats("rewards of a prompt", Shape.of(values.length), values)));
        rollouts.ifPresent(r -> state.putAll(r.state(backend)));
        return state;
    }

    @Override public void restore(Map<String, Tensor> saved) {
        Map<String, float[]> prompts = new LinkedHashMap<>();
        saved.forEach((name, t) -> {
            if (name.startsWith(PROMPT)) {
                prompts.put(name.substring(PROMPT.length()), backend.toFloats(t));
            }
        });
        statistics.restore(prompts);
        rollouts = Rollouts.restore(backend, saved.entrySet().stream().filter(e -> !e.getKey().startsWith(PROMPT)).collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)));
    }
}
