package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.op.LinearCombination;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.unet.diffusion.Guidance;
import dev.retrograd.unet.diffusion.NoiseSchedule;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/// Reward-weighted regression: rounds of sampling, each followed by epochs of the denoising loss on the sampled images, weighted by
/// `N·softmax(temperature·R)` over the round. Needs only the reward's value.
///
/// The loss of an image is `w·mean‖ε_θ(x_t) − ε‖²` with a fresh timestep and noise each time, guidance inside. Source: DDPO (arXiv 2305.13301),
/// §4.1, after Lee et al. (arXiv 2302.12192). Parity: jannerm/ddpo, but that the sampled latents are taken as they are, not decoded and encoded again.
final class Rwr implements Method {
    private static final String CLEAN = "clean";
    private static final String WEIGHTS = "weights";
    private static final String REWARDS = Sampling.REWARDS;
    private static final String TRAIN = "train";
    private static final String LOSSES = "losses";
    private static final int SHUFFLE = 1;
    private static final int NOISE = 2;

    private final Parts parts;
    private final RwrSettings settings;
    private final Backend backend;
    private Optional<Rollouts> rollouts = Optional.empty();

    public Rwr(Parts parts, RwrSettings settings) {
        this.parts = parts;
        this.settings = settings;
        backend = parts.model().backend();
    }

    @Override public Outcome update(Update update, MicroBatches batches, Gradients gradients) {
        int perEpoch = settings.samples() / update.images();
        int perRound = perEpoch * settings.epochs();
        int within = update.number() % perRound;
        if (within == 0) {
            // Only when all is sampled: a run that is broken off before goes on with nothing.
            rollouts = Optional.empty();
            rollouts = Optional.of(sample(update, batches, gradients));
        }
        Rollouts all = rollouts.orElseThrow(() -> new IllegalStateException("rwr: a round must go on with the images that it sampled, got none"));
        int[] shuffled = update.stream(all.draw(), SHUFFLE, within / perEpoch).randperm(all.images());
        int from = within % perEpoch * update.images();
        Outcome outcome = train(update, batches, all, Arrays.copyOfRange(shuffled, from, from + update.images()), gradients);
        if (within == perRound - 1) {
            rollouts = Optional.empty();
        }
        return outcome;
    }

    @Override public MicroBatch.Result compute(Update update, MicroBatch batch, Gradients gradients, LongConsumer done) {
        return batch.kind().equals(TRAIN) ? differentiate(update, batch, gradients, done)
                : Sampling.compute(update, batch, parts, done, (t, columns) -> columns.put(CLEAN, backend.toFloats(t.last().value())));
    }

    private Rollouts sample(Update update, MicroBatches batches, Gradients gradients) {
        Rollouts all = new Rollouts(update.number(), settings.samples());
        Sampling.Rewards rewards = Sampling.of(update, batches, parts, settings.samples(), all, gradients);
        all.put(WEIGHTS, 0, settings.samples(), weights(settings.temperature(), rewards.gains()));
        return all;
    }

    /// `N·softmax(temperature·R)`, of mean 1.
    static float[] weights(double temperature, float... rewards) {
        double most = Float.NEGATIVE_INFINITY;
        for (float r : rewards) {
            most = Math.max(most, temperature * r);
        }
        double sum = 0;
        for (float r : rewards) {
            sum += Math.exp(temperature * r - most);
        }
        float[] weights = new float[rewards.length];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (rewards.length * Math.exp(temperature * rewards[i] - most) / sum);
        }
        return weights;
    }

    private Outcome train(Update update, MicroBatches batches, Rollouts all, int[] chosen, Gradients gradients) {
        List<MicroBatch.Result> results = batches.compute(all.microBatches(TRAIN, update.microBatch(), chosen, List.of(CLEAN, WEIGHTS)), "update " + (update.number() + 1), chosen.length, gradients);
        double loss = 0;
        for (float l : MicroBatch.join(results, LOSSES)) {
            loss += l / chosen.length;
        }
        return new Outcome(1, all.of(REWARDS, chosen), loss, new LinkedHashMap<>());
    }

    private MicroBatch.Result differentiate(Update update, MicroBatch part, Gradients gradients, LongConsumer done) {
        List<String> prompts = Arrays.stream(part.images()).mapToObj(i -> update.prompts(part.draw(), i, 1).getFirst()).toList();
        SequencedMap<String, float[]> columns = new LinkedHashMap<>();
        try (Scope _ = backend.memory().open(MicroBatch.SCOPE); Tape tape = new Tape(backend, parts.policy())) {
            Var losses = losses(tape, update, part, tape.constant(update.context(prompts)));
            Supplier<float[]> values = backend.startToFloats(losses.value());
            tape.backward(losses.apply(SumTo.all()).affine(1.0 / update.images(), 0), gradients);
            columns.put(LOSSES, values.get());
        }
        done.accept(part.count());
        return new MicroBatch.Result(columns);
    }

    /// Weighted denoising losses, `[B]`.
    private Var losses(Tape tape, Update update, MicroBatch part, Var context) {
        int[] which = part.images();
        NoiseSchedule schedule = parts.model().schedule();
        Shape size = update.latents(which.length);
        int each = Math.toIntExact(size.elements()) / which.length;
        float[] clean = part.columns().get(CLEAN);
        float[] noised = new float[clean.length];
        float[] target = new float[clean.length];
        Guidance guidance = parts.chain().guidance();
        float[] timesteps = new float[guidance.active() ? 2 * which.length : which.length];
        for (int i = 0; i < which.length; i++) {
            RandomStream stream = update.stream(update.number(), NOISE, which[i]);
            int t = (int) stream.randint(0, schedule.trainTimesteps());
            float[] eps = stream.randn(each);
            double signal = Math.sqrt(schedule.alphaCumprod(t));
            double spread = Math.sqrt(1 - schedule.alphaCumprod(t));
            for (int j = 0; j < each; j++) {
                float x0 = clean[i * each + j];
                noised[i * each + j] = (float) (signal * x0 + spread * eps[j]);
                target[i * each + j] = switch (schedule.prediction()) {
                    case EPSILON -> eps[j];
                    case V -> (float) (signal * eps[j] - spread * x0);
                };
            }
            for (int j = i; j < timesteps.length; j += which.length) {
                timesteps[j] = t;
            }
        }
        Var x = tape.constant(backend.floats("x_t", size, noised));
        Supplier<Var> predict = () -> tape.segment1("denoise", in -> guidance.mixed(parts.model().unet().forward(guidance.doubled(in[0]), context, timesteps)), x);
        Var predicted = predict.get();
        Var error = predicted.apply(new LinearCombination(0, 1, -1), tape.constant(backend.floats("target", size, target)));
        Shape perImage = Shape.of(which.length, 1, 1, 1);
        Var weights = tape.constant(backend.floats("weights", Shape.of(which.length), part.columns().get(WEIGHTS)));
        Var losses = error.apply(Unary.pow(2)).apply(SumTo.mean(size, perImage)).reshape(which.length).times(weights);
        return parts.guard().active() ? losses.plus(parts.guard().penalty(predicted, predict).affine(parts.guard().coefficient(), 0)) : losses;
    }

    @Override public SequencedMap<String, Tensor> state() {
        return rollouts.map(r -> r.state(backend)).orElseGet(LinkedHashMap::new);
    }

    @Override public void restore(Map<String, Tensor> saved) {
        rollouts = Rollouts.restore(backend, saved);
    }
}
