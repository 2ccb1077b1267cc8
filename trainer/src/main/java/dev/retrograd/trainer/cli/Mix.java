package dev.retrograd.trainer.cli;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Curve;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.LoraMix;
import dev.retrograd.unet.LoraWeights;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd mix`: several LoRAs as one.
@Command(name = "mix", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Writes the weighted sum of LoRAs as one LoRA, or measures mixes of two at several coefficients.",
        footer = {"", "--model, prompts, rewards and all after --clip count for --curve only."})
final class Mix implements Callable<Integer> {
    private static final String EXTENSION = ".safetensors";

    @Option(names = "--lora", paramLabel = "FILE[:WEIGHT]", split = Settings.SEPARATOR, required = true, hideParamSyntax = true, description = "LoRA to mix, a file or its folder, with its weight (1 where none is given); repeated for each.")
    private List<String> loras;

    @Option(names = "--mode", paramLabel = "MODE", defaultValue = "exact", description = "exact: the sum of the updates, whose ranks add; factors: average A and B apart, as the released AlignProp code, where ranks agree; default: ${DEFAULT-VALUE}.")
    private Mode mode;

    @Option(names = "--rank", paramLabel = "R", description = "Keep at most this rank of an exact sum: its largest singular values; default: the sum of the ranks.")
    private Integer rank;

    @Option(names = "--lora-naming", paramLabel = "NAMING", defaultValue = "peft", description = "Names in the LoRA file: peft, diffusers or kohya; default: ${DEFAULT-VALUE}.")
    private LoraFile.Naming naming;

    @Option(names = "--output", paramLabel = "PATH", required = true, description = "A .safetensors file, or a folder to write " + LoraFile.NAME + " in; with --curve the folder of the results.")
    private Path output;

    @Option(names = "--curve", paramLabel = "C,C", split = ",|" + Settings.SEPARATOR, hideParamSyntax = true,
            description = "Measure mixes of two LoRAs at these coefficients, e.g. 0,0.25,0.5,0.75,1: (1 - C) times the first plus C times the second, each times its weight; writes the LoRAs, curve.csv, curve.md, a chart for each measure, and grids.")
    private List<Double> curve;

    @Mixin
    private ModelOptions model;

    @Mixin
    private EvaluationOptions evaluation;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON; flags override them.")
    private Path config;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    enum Mode { EXACT, FACTORS }

    @Override public Integer call() throws IOException {
        SettingException.require(rank == null || rank >= 1, "--rank", "1 or more", rank);
        SettingException.require(rank == null || mode == Mode.EXACT, "--rank", "left out with --mode factors, which keeps the rank", rank);
        List<LoraMix.Part> parts = new ArrayList<>();
        for (String text : loras) {
            LoraOptions.Choice choice = LoraOptions.choice(text, 1);
            parts.add(new LoraMix.Part(choice.file().toString(), LoraFile.read(choice.file(), OptionalDouble.empty()), choice.scale()));
        }
        return curve == null ? write(parts) : curve(parts);
    }

    /// Of a mix, what it became.
    private record Mixed(SequencedMap<String, LoraFile.Update> updates, double kept) {
        int rank() {
            return updates.values().stream().mapToInt(LoraFile.Update::rank).max().orElse(0);
        }
    }

    private Mixed mix(List<LoraMix.Part> parts) {
        return switch (mode) {
            case FACTORS -> new Mixed(LoraMix.factors(parts), 1);
            case EXACT -> {
                SequencedMap<String, LoraFile.Update> sum = LoraMix.exact(parts);
                if (rank == null) {
                    yield new Mixed(sum, 1);
                }
                LoraMix.Truncated truncated = LoraMix.truncate(sum, rank);
                yield new Mixed(truncated.updates(), truncated.kept());
            }
        };
    }

    private int write(List<LoraMix.Part> parts) throws IOException {
        boolean file = output.toString().endsWith(EXTENSION);
        SettingException.require(!file || !Files.isDirectory(output), "--output", "a file", "the folder " + output);
        Path folder = file ? output.toAbsolutePath().getParent() : output;
        Mixed mixed = mix(parts);
        try (OutputFolder _ = OutputFolder.make(folder)) {
            Path target = file ? output : output.resolve(LoraFile.NAME);
            LoraFile.write(target, mixed.updates(), naming);
            spec.commandLine().getOut().println(describe(mixed) + ": " + target);
        }
        return ExitCode.DONE;
    }

    private String describe(Mixed mixed) {
        String left = rank == null ? "" : String.format(Locale.ROOT, ", %.4f of the squared norm kept", mixed.kept());
        return mixed.updates().size() + " modules of rank " + mixed.rank() + left;
    }

    private int curve(List<LoraMix.Part> parts) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        SettingException.require(parts.size() == 2, "--curve", "given with two --lora", parts.size());
        SettingException.require(curve.stream().allMatch(Double::isFinite) && new HashSet<>(curve).size() == curve.size(), "--curve", "different finite numbers", curve);
        List<Double> coefficients = curve.stream().sorted().toList();
        EvaluationOptions.Request request = evaluation.request(model.embedded());
        SequencedMap<String, EvaluationOptions.Dressing> dresses = new LinkedHashMap<>();
        SequencedMap<String, Mixed> mixes = new LinkedHashMap<>();
        for (double c : coefficients) {
            Mixed mixed = mix(List.of(weighted(parts.getFirst(), 1 - c), weighted(parts.getLast(), c)));
            mixes.put("mix-" + c, mixed);
            dresses.put("mix-" + c, loaded -> Worn.loras(loaded, new LoraOptions.Attached(List.of(LoraWeights.of(loaded, mixed.updates(), 1)))));
        }
        try (Interrupt interrupt = main.interruptible(); OutputFolder _ = OutputFolder.make(output)) {
            Comparison comparison = evaluation.measure(out, interrupt, model, request, dresses);
            List<String> about = new ArrayList<>(List.of("(1 - C) times " + parts.getFirst().name() + " plus C times " + parts.getLast().name() + ", mode " + mode.name().toLowerCase(Locale.ROOT) + "."));
            about.addAll(evaluation.about(model, request));
            new Curve(coefficients, comparison).write(output, about);
            for (String name : mixes.keySet()) {
                LoraFile.write(Files.createDirectories(output.resolve(name)).resolve(LoraFile.NAME), mixes.get(name).updates(), naming);
            }
            AtomicFile.writeString(output.resolve("config.json"), Settings.of(spec.commandLine()).toPrettyString() + "\n");
            about.forEach(out::println);
            out.print("\n" + comparison.table().text());
            out.println("\nresults in " + output);
        } catch (StopRequested e) {
            out.println("stopped before all was measured; nothing is written");
            return ExitCode.INTERRUPTED;
        }
        return ExitCode.DONE;
    }

    private static LoraMix.Part weighted(LoraMix.Part part, double factor) {
        return new LoraMix.Part(part.name(), part.updates(), part.weight() * factor);
    }
}
