package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.pretrain.Pretraining;
import dev.retrograd.trainer.pretrain.Recipe;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd pretrain`: builds the miniature model from nothing.
@Command(name = "pretrain", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Builds the miniature model from nothing: a small text-to-image model of captioned shapes, with a CLIP and a judge. "
                + "Started again with the same folder, it goes on where it stopped.")
final class Pretrain implements Callable<Integer> {
    @Option(names = "--output", paramLabel = "DIR", defaultValue = "miniature",
            description = "Folder for model, clip, judge, samples, checkpoints and report.json; default: ${DEFAULT-VALUE}.")
    private Path output;

    @Option(names = "--seed", paramLabel = "N", description = "Of weights, pictures and noise; default: that of the model inside the jar.")
    private Long seed;

    @Option(names = "--stages", paramLabel = "NAME", split = ",", defaultValue = "vae,decoder,clip,judge,unet,aesthetic,preference,check",
            description = "Which stages to run, in this order; default: ${DEFAULT-VALUE}.")
    private List<String> stages;

    @Mixin
    private DeviceOptions device;

    @Spec
    private CommandSpec spec;

    @ParentCommand
    private Main main;

    @Override public Integer call() throws IOException {
        for (String stage : stages) {
            if (!Pretraining.stages().contains(stage)) {
                throw new IllegalArgumentException("--stages: must be some of " + String.join(", ", Pretraining.stages()) + ", got " + stage);
            }
        }
        PrintWriter out = spec.commandLine().getOut();
        Recipe recipe = seed == null ? Recipe.MINIATURE : Recipe.MINIATURE.withSeed(seed);
        try (Interrupt interrupt = main.interruptible(); Backend backend = device.openInFloat32(out)) {
            boolean done = new Pretraining(backend, recipe, output, line -> {
                out.println(line);
                out.flush();
            }, interrupt::requested).run(stages);
            if (done && EmbeddedModel.isComplete(output)) {
                EmbeddedModel.pack(output, output.resolve(EmbeddedModel.ARCHIVE));
                out.println("packed as the jar carries it: " + output.resolve(EmbeddedModel.ARCHIVE));
            }
            return done ? ExitCode.DONE : ExitCode.INTERRUPTED;
        }
    }
}
