package dev.retrograd.trainer;

import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.autograd.plan.RecomputationPlan;
import dev.retrograd.core.Backend;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.method.Outcome;
import dev.retrograd.trainer.prompts.PromptSource;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.function.BooleanSupplier;

/// One training run, from fresh or resumed weights to its folder of results.
///
/// A run is a pure function of configuration, model, reward and prompts: every random number is keyed by (seed, use, update, image).
public final class TrainLoop implements AutoCloseable {
    private final Task task;
    private final TrainConfig config;
    private final RunDirectory run;
    private final TrainListener listener;
    private final BooleanSupplier stop;
    private final Backend backend;
    private final Learner learner;
    private final Evaluation evaluation;
    private final Optional<SampledDiversity> diversity;
    private final EarlyStop early;
    private OptionalDouble latestDiversity = OptionalDouble.empty();
    private final Checkpoint checkpoint;
    private Optional<UpdatePlanner> planner = Optional.empty();
    private Optional<UpdateProfile> profile = Optional.empty();
    private Crew crew = Crew.ALONE;
    private int updates;
    private int skippedInARow;
    private Optional<Trainee.Result> result = Optional.empty();

    /// How a run ended.
    public enum Ending { DONE, STOPPED }

    /// What is trained, on what.
    ///
    /// @param heldOut prompts that are sampled to see the effect on what was never trained on; may be empty
    /// @param start LoRA to start from, or to wear where noise is trained; empty for a fresh one, or none
    /// @param tracked what is measured beside the reward; closed by the caller
    /// @param clip by which diversity is measured; closed by the caller
    /// @param writer of the result where the whole UNet is trained
    public record Task(StableDiffusion model, Reward reward, PromptSource prompts, List<String> heldOut, Optional<SequencedMap<String, LoraFile.Update>> start,
            Tracked tracked, Optional<ImageFeatures> clip, ModelWriter writer) {

        /// Of a UNet that was trained as a whole, writing that alone.
        public Task(StableDiffusion model, Reward reward, PromptSource prompts, List<String> heldOut, Optional<SequencedMap<String, LoraFile.Update>> start, Tracked tracked,
                Optional<ImageFeatures> clip) {
            this(model, reward, prompts, heldOut, start, tracked, clip, ModelWriter.UNET_ALONE);
        }

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
        this.config = config;
        this.run = run;
        this.listener = listener;
        this.stop = stop;
        backend = task.model().backend();
        // Where noise is trained, that of other images is as it was.
        boolean measures = task.clip().isPresent() && config.method().trainsWeights();
        early = new EarlyStop(config.regularisers(), !task.heldOut().isEmpty(), measures);
        learner = new Learner(task, config);
        Optional<FixedImages> fixed = learner.trainee().images();
        int[] latent = config.sampler().latentShape(task.model());
        List<String> prompts = task.prompts().prompts();
        List<String> measured = prompts.subList(0, Math.min(prompts.size(), config.regularisers().diversityPrompts()));
        diversity = measured.isEmpty() || !measures ? Optional.empty()
                : task.clip().map(c -> new SampledDiversity(learner.sampler(), c, measured, config.seed(), config.microBatchSize(), latent));
        checkpoint = new Checkpoint(backend, learner.trainee(), learner.optimizer(), learner.ema(), learner.method());
        evaluation = new Evaluation(learner.sampler(), task, config, diversity, fixed.map(FixedImages::noise).orElseGet(() -> new ChainNoise.Keyed(config.seed(), Evaluation.NO_UPDATE, latent)));
    }

    /// What is trained, in a few words.
    public String describe() {
        return learner.trainee().describe();
    }

    /// What the result is, and its file or folder, once there is one: `LoRA: PATH`.
    public Optional<String> result() {
        return result.map(r -> r.what() + ": " + r.path());
    }

    /// Folder of the card that describes the result, where there is to be one.
    public Optional<Path> card() {
        return result.flatMap(Trainee.Result::card);
    }

    /// Updates done so far.
    public int updates() {
        return updates;
    }

    /// Plans every update before it runs, and does as the plan says.
    ///
    /// @param by plans a run with the same settings; closed by the caller
    public void follow(UpdatePlanner by) {
        planner = Optional.of(by);
    }

    /// Measures one of the updates, says and writes what it took.
    public void measure(UpdateProfile by) {
        profile = Optional.of(by);
    }

    /// Has others compute the updates' micro-batches. The result is the same.
    ///
    /// @param who closed by the caller
    public void share(Crew who) {
        crew = who;
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
            planner.ifPresent(p -> p.prepare(evaluation.prompts()));
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
            averaged(() -> result = Optional.of(learner.trainee().write(run)));
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
        checkpoint.save(run.checkpoints(), updates, this::export);
        Checkpoint.prune(run.checkpoints(), config.keepCheckpoints());
    }

    /// What writes files.
    @FunctionalInterface
    private interface Writing {
        void run() throws IOException;
    }

    private void export(Path checkpoint) throws IOException {
        averaged(() -> learner.trainee().writeInto(checkpoint));
    }

    /// With the averages in place where there are any, else with the weights.
    private void averaged(Writing writing) throws IOException {
        if (learner.ema().isEmpty()) {
            writing.run();
            return;
        }
        try (WeightEma.Swap _ = learner.ema().get().swapIn()) {
            writing.run();
        }
    }

    /// Samples with the weights after so many updates, 0 or all that are done, and writes them down.
    private Evaluation.Grid grid(int after) throws IOException {
        backend.memory().releaseArena();
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
        if (learner.ema().isEmpty()) {
            return evaluation.grid(this::report);
        }
        try (WeightEma.Swap _ = learner.ema().get().swapIn()) {
            return evaluation.grid(this::report);
        }
    }

    /// A resumed run compares with the weights that it once started from.
    private Evaluation.Grid original() {
        return learner.trainee().atStart(() -> evaluation.grid(this::report));
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
        int number = updates;
        learner.prepare(learner.prompts(number));
        Optional<RecomputationPlan> plan = planner.map(p -> p.plan(number));
        plan.ifPresent(p -> learner.policy(p.policy()));
        Segment.Policy policy = learner.policy();
        profile.ifPresent(p -> learner.policy(p.begin(number + 1 == config.updates(), policy)));
        backend.memory().resetPeak();
        UpdateDraws draws = new UpdateDraws(task, config, learner.sampler(), learner.trainee().images(), number) {
            @Override public void progress(String what, long done, long total) {
                report(what + "/" + config.updates(), done, total);
            }
        };
        Learner.Step step = learner.update(draws, crew, plan.map(RecomputationPlan::recomputed), planner.map(UpdatePlanner::places));
        learner.policy(policy);
        boolean measured = profile.isPresent() && profile.get().end();
        boolean skipped = !step.notFinite().isEmpty();
        skippedInARow = skipped ? skippedInARow + 1 : 0;
        if (skipped) {
            skip(number, step.notFinite());
        }
        updates++;
        Outcome outcome = step.outcome();
        OptionalLong planned = plan.isPresent() ? OptionalLong.of(plan.get().peak()) : OptionalLong.empty();
        Metrics metrics = new Metrics(updates, outcome.k(), outcome.loss(), Scores.mean(outcome.rewards()), Scores.std(outcome.rewards()), step.gradNorm(), step.learningRate(),
                (System.nanoTime() - start) / 1e9, backend.memory().peakBytes(), planned, backend.reservedBytes(), step.unplanned(), backend.graphs().orElse(GraphUse.NONE), skipped, outcome.details(), draws.means());
        run.append(metrics);
        listener.updated(metrics, config.updates());
        if (measured) {
            run.writeProfile(profile.get().json(updates));
            profile.get().lines(updates).forEach(listener::said);
        }
    }

    /// An update without finite numbers leaves the weights as they are; too many of them in a row end the run, and leave behind what was there.
    private void skip(int number, List<String> bad) throws IOException {
        String what = "update " + (number + 1) + ": loss and gradient must be finite, got others in " + bad.size() + ": " + bad.getFirst() + (bad.size() > 1 ? ", …" : "");
        if (skippedInARow <= config.optimizer().maxSkipped()) {
            listener.said(what + "; skipped, " + skippedInARow + " in a row");
            return;
        }
        Path failed = run.folder().resolve("failed");
        checkpoint.save(failed, number, this::export);
        AtomicFile.writeString(failed.resolve(RunDirectory.updateName(number)).resolve("not-finite.txt"), String.join("\n", bad) + "\n");
        throw new IllegalStateException(what + "; state before it and all names are in " + failed + ", checkpoints are intact; try a lower --learning-rate, or a stronger --max-grad-norm");
    }

    /// Frees the trained weights and the optimiser's state.
    @Override public void close() {
        learner.close();
    }
}
