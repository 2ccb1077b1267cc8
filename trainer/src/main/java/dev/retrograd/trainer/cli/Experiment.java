package dev.retrograd.trainer.cli;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.experiment.ExperimentKind;
import dev.retrograd.trainer.experiment.Tally;
import dev.retrograd.trainer.experiment.Vote;
import dev.retrograd.trainer.report.HtmlReport;
import dev.retrograd.trainer.report.ResultPage;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd experiment NAME`: a table or figure of the paper.
@Command(name = "experiment", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Reproduces a table or figure of the AlignProp paper: trains what it needs (or takes it from the cache), measures, and writes results.md, results.csv, report.html and pictures: what the paper says, and whether it holds in these numbers. "
                + "NAME: table1, table2, table3, table4, figure3, figure4, figure5, figure6, collapse; list describes them, tally counts votes.",
        footer = {"", "Without --model everything is sized for the model inside the jar, and prompts are shapes; with it, runs have the defaults of train. --reward is aesthetic where it is not given. Options from --prompts on go to train and evaluate."})
final class Experiment implements Callable<Integer> {
    private static final String LIST = "list";
    private static final String TALLY = "tally";

    @Parameters(index = "0", paramLabel = "NAME", description = "Which one; list; or tally.")
    private String name;

    @Parameters(index = "1..*", arity = "0..*", paramLabel = "VOTES", description = "With tally: files that the page of table2 saved, JSON or CSV; prints win rates with 95 %% confidence intervals.")
    private List<Path> votes = List.of();

    @Option(names = "--output", paramLabel = "DIR", description = "Folder of the results; default: runs/experiments/NAME.")
    private Path output;

    @Option(names = "--cache", paramLabel = "DIR", defaultValue = "runs/cache", description = "Folder of trained runs, by their settings: experiments share them, and runs that were interrupted go on; default: ${DEFAULT-VALUE}.")
    private Path cache;

    @Option(names = "--quick", description = "Short runs and few images, to see that all works: its numbers show little.")
    private boolean quick;

    @Option(names = "--second-reward", paramLabel = "REWARD", defaultValue = "compressibility", description = "What table4 and figure6 mix with --reward; default: ${DEFAULT-VALUE}.")
    private String secondReward;

    @Mixin
    private ModelOptions model;

    @Mixin
    private PromptOptions prompts;

    @Option(names = "--eval-prompts", paramLabel = "LIST", description = "Prompts that are measured and never trained on; default: the unseen ones of a built-in list.")
    private String evalPrompts;

    @Mixin
    private RewardOptions rewards;

    @Option(names = "--clip", paramLabel = "DIR", description = "CLIP that diversity is measured by, with --model.")
    private Path clip;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of every run and measurement; default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(names = "--updates", paramLabel = "N", description = "Updates of every run; default: each method's own.")
    private Integer updates;

    @Option(names = "--batch-size", paramLabel = "N", description = "Images per update of every run.")
    private Integer batchSize;

    @Option(names = "--micro-batch-size", paramLabel = "N", description = "Images that go through the chain together.")
    private Integer microBatchSize;

    @Option(names = "--steps", paramLabel = "N", description = "Denoising steps.")
    private Integer steps;

    @Option(names = "--height", paramLabel = "PIXELS", description = "Height of the images.")
    private Integer height;

    @Option(names = "--width", paramLabel = "PIXELS", description = "Width of the images.")
    private Integer width;

    @Option(names = "--memory", paramLabel = "BYTES", description = "What an update may take, as for train.")
    private String memory;

    @Option(names = "--max-prompts", paramLabel = "N", description = "At most so many prompts of each list are measured.")
    private Integer maxPrompts;

    @Option(names = "--images-per-prompt", paramLabel = "N", description = "Images of each prompt that are measured.")
    private Integer imagesPerPrompt;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        if (name.equals(LIST)) {
            List<List<String>> rows = Arrays.stream(ExperimentKind.values()).map(k -> List.of(k.id(), k.description())).toList();
            out.print(new Table(List.of("experiment", "shows"), rows).text());
            return ExitCode.DONE;
        }
        if (name.equals(TALLY)) {
            return tally(out);
        }
        SettingException.require(votes.isEmpty(), "VOTES", "given with tally only", votes);
        ExperimentKind kind = ExperimentKind.named(name).orElseThrow(() -> new SettingException("experiment: must be one of "
                + Arrays.stream(ExperimentKind.values()).map(ExperimentKind::id).collect(Collectors.joining(", ")) + ", " + LIST + " or " + TALLY + ", got " + name));
        Path folder = output == null ? Path.of("runs", "experiments", kind.id()) : output;
        Forwarded given = Forwarded.of(spec.commandLine().getParseResult());
        try (Interrupt interrupt = main.interruptible(); OutputFolder _ = OutputFolder.make(folder)) {
            ExperimentLab lab = new ExperimentLab(main, out, spec.commandLine().getErr(), interrupt, given, new ExperimentLab.Settings(quick, seed, folder, cache, model.embedded(), secondReward));
            lab.requireMeasurable();
            List<String> about = new ArrayList<>(List.of("Command: retrograd experiment " + kind.id() + given.words(), "Date: " + LocalDate.now(ZoneOffset.UTC) + ", seed " + seed + ", " + model.name() + ", reward " + lab.reward() + "."));
            if (quick) {
                about.add("A quick run: so few updates and images that its orderings say little.");
            }
            ExperimentKind.Result result = kind.run(lab, about);
            AtomicFile.writeString(folder.resolve("results.csv"), result.numbers().csv());
            result.page().write(folder);
            out.print("\n" + result.claims().text());
            out.println(result.summary());
            out.println("results: " + folder.resolve(ResultPage.MARKDOWN) + ", " + folder.resolve(HtmlReport.NAME));
            return ExitCode.DONE;
        } catch (StopRequested e) {
            out.println("stopped; what was trained is in " + cache + ", the same command goes on");
            return ExitCode.INTERRUPTED;
        }
    }

    private int tally(PrintWriter out) throws IOException {
        SettingException.require(!votes.isEmpty(), "experiment tally", "followed by files of votes", "none");
        List<Vote> all = new ArrayList<>();
        for (Path file : votes) {
            all.addAll(Vote.read(file));
        }
        Tally tally = new Tally(all);
        if (tally.votes().isEmpty()) {
            throw new IOException("experiment tally: at least one vote is required, got none in " + votes);
        }
        out.println(tally.votes().size() + " votes of " + tally.voters() + (tally.voters() == 1 ? " person" : " people"));
        out.print(tally.table().text());
        return ExitCode.DONE;
    }
}
