package dev.retrograd.trainer;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.optim.AdamW;
import dev.retrograd.autograd.optim.GradientClip;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.rewards.PixelBatch;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.method.AlignProp;
import dev.retrograd.trainer.method.Batch;
import dev.retrograd.trainer.method.KlGuard;
import dev.retrograd.trainer.method.Method;
import dev.retrograd.trainer.method.Outcome;
import dev.retrograd.trainer.method.Parts;
import dev.retrograd.trainer.method.Update;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraWeights;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// One training run, from fresh or resumed LoRA weights to its folder of results.
///
/// A run is a pure function of configuration, model, reward and prompts: every random number is keyed by (seed, use, update, image).
public final class TrainLoop implements AutoCloseable {
    private final StableDiffusion model;
    private final Task task;
    private final TrainConfig config;
    private final RunDirectory run;
    private final TrainListener listener;
    private final BooleanSupplier stop;
    private final Backend backend;
    private final Sampler sampler;
    private final Evaluation evaluation;
    private final Optional<SampledDiversity> diversity;
    private final EarlyStop early;
    private OptionalDouble latestDiversity = OptionalDouble.empty();
    private final LoraWeights lora;
    private final AdamW optimizer;
    private final Optional<WeightEma> ema;
    private final Method method;
    private final Checkpoint checkpoint;
    private int updates;
    private int skippedInARow;

    /// How a run ended.
    public enum Ending { DONE, STOPPED }

    /// What is trained, on what.
    ///
    /// @param heldOut prompts that are sampled to see the effect on what was never trained on; may be empty
    /// @param start weights to start from; empty for fresh ones
    /// @param tracked what is measured beside the reward; closed by the caller
    /// @param clip by which diversity is measured; closed by the caller
    public record Task(StableDiffusion model, Reward reward, PromptSource prompts, List<String> heldOut, Optional<SequencedMap<String, LoraFile.Update>> start,
            Tracked tracked, Optional<ImageFeatures> clip) {

        /// Without measuring diversity.
        public Task(StableDiffusion model, Reward reward, PromptSource prompts, List<String> heldOut, Optional<SequencedMap<String, LoraFile.Update>> start, Tracked tracked) {
            this(model, reward, prompts, heldOut, start, tracked, Optional.empty());
        }
    }

    /// @param stop asked often; true ends the run after saving
    /// @throws SettingException if the settings do not fit the model or the reward
    /// @throws IllegalArgumentException if the weights to start from do not
    public TrainLoop(Task task, TrainConfig config, RunDirectory run, TrainListener listener, BooleanSupplier stop) {
        this.task = task;
        model = task.model();
        this.config = config;
        this.run = run;
        this.listener = listener;
        this.stop = stop;
        backend = model.backend();
        early = new EarlyStop(config.regularisers(), !task.heldOut().isEmpty(), task.clip().isPresent());
        sampler = new Sampler(model, config.sampler());
        List<String> prompts = task.prompts().prompts();
        List<String> measured = prompts.subList(0, Math.min(prompts.size(), config.regularisers().diversityPrompts()));
        diversity = measured.isEmpty() ? Optional.empty()
                : task.clip().map(c -> new SampledDiversity(sampler, c, measured, config.seed(), config.microBatchSize(), config.sampler().latentShape(model)));
        lora = startWeights();
        optimizer = new AdamW(backend, lora.parameters(), config.optimizer().adamw());
        OptionalDouble decay = config.optimizer().emaDecay();
        ema = decay.isPresent() ? Optional.of(new WeightEma(backend, lora.parameters(), decay.getAsDouble())) : Optional.empty();
        method = config.method().start(new Parts(model, config.sampler().chain(model), task.reward(), config.loss(), AlignProp.RECOMPUTE_OUTERMOST,
                new KlGuard(config.regularisers().kl(), new WithoutLora())));
        checkpoint = new Checkpoint(backend, lora, optimizer, ema, method);
        evaluation = new Evaluation(sampler, task, config, diversity, config.sampler().latentShape(model));
    }

    /// Attached to the UNet: those of a file, or fresh ones.
    private LoraWeights startWeights() {
        return task.start().map(u -> LoraWeights.of(backend, model.unet(), u, 1))
                .orElseGet(() -> SettingException.named("--lora-targets",
                        () -> LoraWeights.fresh(backend, model.unet(), config.lora(), RandomStream.keyed(config.seed(), StreamKey.LORA.code()).nextU64())));
    }

    /// The base model is the model without its LoRA.
    private final class WithoutLora implements KlGuard.Base {
        @Override public <T> T run(Supplier<T> code) {
            lora.detach();
            try {
                return code.get();
            } finally {
                lora.attach();
            }
        }
    }

    public LoraWeights lora() {
        return lora;
    }

    /// Updates done so far.
    public int updates() {
        return updates;
    }

    /// Goes on from a checkpoint.
    ///
    /// @throws IOException if it cannot be read or belongs to a run with other settings
    public void resume(Path from) throws IOException {
        updates = checkpoint.load(from);
        run.rewind(updates);
    }

    /// Runs the remaining updates and writes the results.
    ///
    /// @throws IllegalStateException if loss or gradient were not finite too often in a row; checkpoints are intact, and `failed/` has the state
    /// @throws IOException if a result cannot be written
    public Ending run() throws IOException {
        try {
            Evaluation.Grid before = grid(0);
            while (updates < config.updates()) {
                if (stop.getAsBoolean()) {
                    return stopped();
                }
                if (updates > 0 && config.sampleEvery() > 0 && updates % config.sampleEvery() == 0) {
                    grid(updates);
                    Optional<String> reason = early.reason(run.evaluated(), latestDiversity);
                    if (reason.isPresent()) {
                        listener.said("stopped early after update " + updates + " of " + config.updates() + ": " + reason.get() + "; the result is the weights of that update");
                        save();
                        break;
                    }
                }
                update();
                if (updates == config.updates() || updates % config.saveEvery() == 0) {
                    save();
                }
            }
            Evaluation.Grid after = grid(updates);
            evaluation.compare(run.sample("before-after"), before, after);
            evaluation.summary(before, after).forEach(listener::said);
            Path result = run.loraFolder().resolve(LoraFile.NAME);
            LoraFile.write(result, exported(), config.naming());
            return Ending.DONE;
        } catch (StopRequested e) {
            return stopped();
        }
    }

    private Ending stopped() throws IOException {
        save();
        listener.said("stopped after update " + updates + " of " + config.updates() + "; saved in " + run.checkpoints() + ", go on with --resume " + run.folder());
        return Ending.STOPPED;
    }

    private void save() throws IOException {
        checkpoint.save(run.checkpoints(), updates, exported(), config.naming());
        Checkpoint.prune(run.checkpoints(), config.keepCheckpoints());
    }

    /// The averages where there are any, else the weights.
    private Map<String, LoraFile.Update> exported() {
        if (ema.isEmpty()) {
            return lora.updates(backend);
        }
        try (WeightEma.Swap _ = ema.get().swapIn()) {
            return lora.updates(backend);
        }
    }

    /// Samples with the weights after so many updates, 0 or all that are done, and writes them down.
    private Evaluation.Grid grid(int after) throws IOException {
        Evaluation.Grid grid = after == updates ? present() : original();
        Path picture = run.sample(RunDirectory.updateName(after));
        evaluation.write(picture, grid);
        listener.sampled(after, picture);
        if (after == updates) {
            run.append(task.reward().name(), evaluation.means(after, grid));
            if (grid.diversity().isPresent()) {
                latestDiversity = grid.diversity();
                run.append(new RunDirectory.Diverse(after, diversity.orElseThrow().images(), latestDiversity.getAsDouble()));
            }
        }
        return grid;
    }

    private Evaluation.Grid present() {
        if (ema.isEmpty()) {
            return evaluation.grid(this::report);
        }
        try (WeightEma.Swap _ = ema.get().swapIn()) {
            return evaluation.grid(this::report);
        }
    }

    /// A resumed run compares with the weights that it once started from.
    private Evaluation.Grid original() {
        lora.detach();
        try (LoraWeights _ = startWeights()) {
            return evaluation.grid(this::report);
        } finally {
            lora.attach();
        }
    }

    private void report(String what, long done, long total) {
        if (stop.getAsBoolean()) {
            throw new StopRequested();
        }
        if (done == 0) {
            listener.began(what, total);
        }
        listener.progressed(done);
    }

    private void update() throws IOException {
        long start = System.nanoTime();
        backend.memory().resetPeak();
        int number = updates;
        Draws draws = new Draws(number);
        try (Scope _ = backend.memory().open("update " + (number + 1)); Gradients gradients = new Gradients(backend)) {
            Outcome outcome = method.update(draws, gradients);
            step(number, outcome, draws.measured.means(), gradients, start);
        }
    }

    /// Prompts and noise of one update, keyed by (seed, update, image).
    private final class Draws implements Update {
        private final int number;
        private final Tracked.Collected measured = task.tracked().collect();

        Draws(int number) {
            this.number = number;
        }

        @Override public int number() {
            return number;
        }

        @Override public int images() {
            return config.batchSize();
        }

        @Override public int microBatch() {
            return config.microBatchSize();
        }

        @Override public Batch batch(int draw, int first, int count) {
            ChainNoise noise = new ChainNoise.Keyed(config.seed(), draw, config.sampler().latentShape(model));
            return sampler.batch(prompts(draw, first, count), noise, first);
        }

        @Override public List<String> prompts(int draw, int first, int count) {
            return task.prompts().draw(config.seed(), draw, first, count);
        }

        @Override public Tensor context(List<String> prompts) {
            return sampler.context(prompts);
        }

        @Override public Shape latents(int count) {
            int[] chw = config.sampler().latentShape(model);
            return Shape.of(count, chw[1], chw[2], chw[0]);
        }

        @Override public RandomStream stream(int draw, long... key) {
            long[] all = new long[key.length + 2];
            all[0] = StreamKey.METHOD.code();
            all[1] = draw;
            System.arraycopy(key, 0, all, 2, key.length);
            return RandomStream.keyed(config.seed(), all);
        }

        @Override public boolean measures() {
            return !task.tracked().isEmpty();
        }

        @Override public void measure(PixelBatch images, List<String> prompts) {
            measured.add(images, prompts);
        }

        @Override public void progress(String what, long done, long total) {
            report(what + "/" + config.updates(), done, total);
        }
    }

    private void step(int number, Outcome outcome, SequencedMap<String, Double> tracked, Gradients gradients, long start) throws IOException {
        GradientClip.Clipped clipped = config.optimizer().clip().apply(backend, gradients, lora.parameters());
        double norm = clipped.norm(backend);
        boolean skipped = !Double.isFinite(norm) || !Double.isFinite(outcome.loss());
        double rate = config.optimizer().schedule().at(number);
        if (skipped) {
            skip(number, outcome, gradients);
        } else {
            optimizer.step(gradients, rate, clipped.factor(), AdamW.Missing.REFUSE);
            ema.ifPresent(WeightEma::update);
            skippedInARow = 0;
        }
        backend.synchronize();
        updates++;
        Metrics metrics = new Metrics(updates, outcome.k(), outcome.loss(), Scores.mean(outcome.rewards()), Scores.std(outcome.rewards()), norm, rate, (System.nanoTime() - start) / 1e9,
                backend.memory().peakBytes(), skipped, outcome.details(), tracked);
        run.append(metrics);
        listener.updated(metrics, config.updates());
    }

    /// An update without finite numbers leaves the weights as they are; too many of them in a row end the run, and leave behind what was there.
    private void skip(int number, Outcome outcome, Gradients gradients) throws IOException {
        skippedInARow++;
        List<String> bad = new ArrayList<>();
        if (!Double.isFinite(outcome.loss())) {
            bad.add("loss");
        }
        for (Parameter p : lora.parameters()) {
            if (gradients.of(p).isPresent() && !isFinite(backend.toFloats(gradients.of(p).get()))) {
                bad.add("gradient of " + p.name());
            }
        }
        String what = "update " + (number + 1) + ": loss and gradient must be finite, got others in " + bad.size() + ": " + bad.getFirst() + (bad.size() > 1 ? ", …" : "");
        if (skippedInARow <= config.optimizer().maxSkipped()) {
            listener.said(what + "; skipped, " + skippedInARow + " in a row");
            return;
        }
        Path failed = run.folder().resolve("failed");
        checkpoint.save(failed, number, exported(), config.naming());
        AtomicFile.writeString(failed.resolve(RunDirectory.updateName(number)).resolve("not-finite.txt"), String.join("\n", bad) + "\n");
        throw new IllegalStateException(what + "; state before it and all names are in " + failed + ", checkpoints are intact; try a lower --learning-rate, or a stronger --max-grad-norm");
    }

    private static boolean isFinite(float[] values) {
        for (float v : values) {
            if (!Float.isFinite(v)) {
                return false;
            }
        }
        return true;
    }

    /// Frees the LoRA and the optimiser's state.
    @Override public void close() {
        method.close();
        ema.ifPresent(WeightEma::close);
        optimizer.close();
        lora.close();
    }
}
