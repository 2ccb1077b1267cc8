package dev.retrograd.trainer.cli;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.OutputFolder;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.StopRequested;
import dev.retrograd.trainer.evaluate.Comparison;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd evaluate`: compares LoRAs with each other and with the model alone.
@Command(name = "evaluate", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Measures the model alone and with each LoRA on the same prompts and noise: rewards and diversity on prompts of training and unseen ones, with standard errors.")
final class Evaluate implements Callable<Integer> {
    private static final String BASE = "base";

    @Mixin
    private ModelOptions model;

    @Option(names = "--lora", paramLabel = "[NAME=]FILE[:SCALE]", split = Settings.SEPARATOR, hideParamSyntax = true,
            description = "LoRA to measure, a file or its folder; may be repeated, each is a model of its own beside the base.")
    private List<String> loras;

    @Mixin
    private EvaluationOptions evaluation;

    @Option(names = "--output", paramLabel = "DIR", defaultValue = "evaluation", description = "Folder for evaluation.csv, evaluation.md, grid-train.png, grid-unseen.png and config.json; default: ${DEFAULT-VALUE}.")
    private Path output;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as JSON; flags override them.")
    private Path config;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        SequencedMap<String, EvaluationOptions.Dressing> dresses = dresses();
        EvaluationOptions.Request request = evaluation.request(model.embedded());
        try (Interrupt interrupt = main.interruptible(); OutputFolder _ = OutputFolder.make(output)) {
            Comparison comparison = evaluation.measure(out, interrupt, model, request, dresses);
            List<String> about = evaluation.about(model, request);
            comparison.write(output, about);
            AtomicFile.writeString(output.resolve("config.json"), Settings.of(spec.commandLine()).toPrettyString() + "\n");
            about.forEach(out::println);
            out.print("\n" + comparison.table().text());
            if (dresses.size() > 1) {
                out.print("\nchange against " + BASE + ", of images from the same noise:\n" + comparison.changes().text());
            }
            out.println("\nresults in " + output);
        } catch (StopRequested e) {
            out.println("stopped before all was measured; nothing is written");
            return ExitCode.INTERRUPTED;
        }
        return ExitCode.DONE;
    }

    EvaluationOptions evaluation() {
        return evaluation;
    }

    ModelOptions model() {
        return model;
    }

    private SequencedMap<String, EvaluationOptions.Dressing> dresses() {
        SequencedMap<String, EvaluationOptions.Dressing> all = new LinkedHashMap<>();
        all.put(BASE, Worn::nothing);
        for (String text : loras == null ? List.<String>of() : loras) {
            int equals = Files.exists(Path.of(text)) ? -1 : text.indexOf('=');
            LoraOptions.Choice choice = LoraOptions.choice(text.substring(equals + 1), 1);
            String name = equals > 0 ? text.substring(0, equals) : text;
            if (all.put(name, loaded -> Worn.loras(loaded, LoraOptions.attach(loaded, List.of(choice)))) != null) {
                throw new SettingException("--lora: each must have a name of its own, as in NAME=FILE, got " + name + " twice");
            }
        }
        return all;
    }
}
