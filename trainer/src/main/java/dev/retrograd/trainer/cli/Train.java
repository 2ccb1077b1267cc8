package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.ProfiledBackend;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.rewards.Reward;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.DeviceCrew;
import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Tracked;
import dev.retrograd.trainer.TrainConfig;
import dev.retrograd.trainer.TrainLoop;
import dev.retrograd.trainer.UpdateProfile;
import dev.retrograd.trainer.report.HtmlReport;
import dev.retrograd.trainer.report.ModelCard;
import dev.retrograd.trainer.report.RunRecorder;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd train`: aligns a model to a reward.
@Command(name = "train", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Aligns a model to a reward: samples images, and trains a LoRA, or the whole UNet, to raise their reward, by AlignProp, which sends the reward's gradient back through the denoising chain, or by one of its rivals.",
        footer = {"", "Settings come from the method's defaults, the preset of the model inside the jar (without --model), then --config, then flags."})
final class Train implements Callable<Integer> {
    private static final DateTimeFormatter RUN_NAME = DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmmss");

    @Mixin
    private TrainOptions options;

    @Option(names = "--output", paramLabel = "DIR", description = "Run folder; default: runs/<date-time>.")
    private Path output;

    @Option(names = "--resume", paramLabel = "WHERE", description = "Go on with a run: its folder, one of its checkpoints, or latest (in --output or runs/).")
    private String resume;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON, e.g. the config.json of a run; flags override them.")
    private Path config;

    @Option(names = "--open-report", description = "Serve the run's page on this machine while it trains, and open a browser where there is one.")
    private boolean openReport;

    @Option(names = "--profile", description = "Measure the third update (the last, of fewer): time, launches, FLOPs and bytes by kernel and by segment are printed, and written to profile.json.")
    private boolean profile;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    TrainOptions options() {
        return options;
    }

    @Override public Integer call() throws IOException {
        TrainOptions.Request request = options.request();
        Resume from = Resume.find(resume, output);
        List<String> devices = options.model().devices().several();
        SettingException.require(main.crews().isEmpty() || devices.size() == 1, "--device", "one device on a cluster, the driver's own", String.join(",", devices));
        options.checkShared(devices.size() > 1 || main.crews().isPresent());
        Path folder = from.run().or(() -> Optional.ofNullable(output)).orElseGet(() -> Path.of("runs", LocalDateTime.now().format(RUN_NAME)));
        options.model().devices().keepChoices(RunDirectory.kernelChoicesOf(folder));
        try (Interrupt interrupt = main.interruptible(); Backend device = options.model().backend(spec.commandLine().getOut(), devices, 0); RunDirectory run = RunDirectory.open(folder)) {
            if (run.isUsed() && resume == null) {
                throw new IOException(folder + ": holds a run already; go on with --resume " + folder + " or choose another --output");
            }
            if (!profile) {
                return train(request, from, device, devices, run, interrupt, Optional.empty());
            }
            ProfiledBackend profiled = new ProfiledBackend(device);
            return train(request, from, profiled.backend(), devices, run, interrupt, Optional.of(new UpdateProfile(profiled)));
        }
    }

    /// Closes what measures diversity, where there is such.
    private record Measure(Optional<ImageFeatures> clip) implements AutoCloseable {
        @Override public void close() {
            clip.ifPresent(ImageFeatures::close);
        }
    }

    private int train(TrainOptions.Request request, Resume from, Backend backend, List<String> devices, RunDirectory run, Interrupt interrupt, Optional<UpdateProfile> profiler) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        try (StableDiffusion loaded = options.model().load(backend, out); Measure measure = new Measure(options.clip(backend))) {
            options.sayCutPrompts(out, request, loaded);
            TrainConfig settings = options.config(request, loaded);
            try (Reward objective = request.reward().on(backend);
                    Tracked tracked = options.tracked(request, backend);
                    PlannedRun planned = planned(request, backend);
                    DeviceCrew crew = DeviceCrew.open(Replicas.of(options, request, devices));
                    RunProgress progress = new RunProgress(out);
                    RunRecorder recorder = new RunRecorder(progress);
                    TrainLoop loop = new TrainLoop(options.task(request, loaded, objective, tracked, measure.clip()), settings, run, recorder, interrupt::requested)) {
                List<String> summary = planned.summary();
                if (resume != null) {
                    goOn(out, from, run, loop);
                }
                run.writeConfig(Settings.of(spec.commandLine()));
                Resume.remember(run.folder());
                run.writeEnvironment(Environment.current(options.model().device()));
                recorder.start(run.tensorBoard(), loop.updates());
                announce(out, run, loop, settings, objective);
                summary.forEach(out::println);
                out.flush();
                planned.planner().ifPresent(loop::follow);
                profiler.ifPresent(loop::measure);
                loop.share(main.crews().map(c -> c.of(Settings.of(spec.commandLine()).toString())).orElse(crew));
                TrainLoop.Ending ending;
                try (LiveReport _ = openReport ? LiveReport.open(run.folder(), out) : LiveReport.NONE) {
                    ending = loop.run();
                }
                Path report = HtmlReport.write(run.folder());
                if (ending == TrainLoop.Ending.DONE) {
                    if (loop.card().isPresent()) {
                        ModelCard.write(run.folder(), loop.card().get(), options.model().name());
                    }
                    out.println(loop.result().orElseThrow());
                    out.println("pictures: " + run.sample("before-after") + ", reward curve: " + run.rewardChart());
                    out.println("report: " + report);
                }
                return ending == TrainLoop.Ending.STOPPED ? ExitCode.INTERRUPTED : ExitCode.DONE;
            }
        }
    }

    /// The same run without values, for the backend that it takes place on.
    private PlannedRun planned(TrainOptions.Request request, Backend backend) throws IOException {
        PlanBackend plan = new PlanBackend(backend.name(), backend.workspaceBytes(), backend.precision());
        return new PlannedRun(options, request, plan, options.model().shapes(plan), backend.graphs().isPresent());
    }

    /// Goes on from the newest checkpoint that is whole.
    private static void goOn(PrintWriter out, Resume from, RunDirectory run, TrainLoop loop) throws IOException {
        ModelFormatException newest = null;
        for (Path checkpoint : from.checkpoints()) {
            try {
                loop.resume(checkpoint);
                if (newest != null) {
                    out.println(newest.getMessage());
                    out.println("going on from the one before: " + checkpoint);
                }
                return;
            } catch (ModelFormatException e) {
                newest = newest == null ? e : newest;
            }
        }
        if (newest != null) {
            throw newest;
        }
        run.rewind(0);
        from.say(out);
    }

    private void announce(PrintWriter out, RunDirectory run, TrainLoop loop, TrainConfig c, Reward objective) {
        out.println("model " + options.model().name() + ", " + c.sampler().width() + "x" + c.sampler().height() + " pixels, " + c.sampler().steps() + (c.sampler().edict().isPresent() ? " EDICT steps, guidance " : " DDIM steps, guidance ")
                + c.sampler().guidance() + ", eta " + c.sampler().eta());
        out.println(loop.describe());
        out.println("method " + c.method());
        String preset = Settings.inForce(spec.commandLine());
        if (!preset.isEmpty()) {
            out.println("preset " + preset);
        }
        out.println("reward " + objective.name() + ", loss " + c.loss() + ", " + c.updates() + " updates of " + c.batchSize() + " images");
        out.println("run folder " + run.folder() + (loop.updates() > 0 ? ", going on after update " + loop.updates() : ""));
        out.flush();
    }
}
