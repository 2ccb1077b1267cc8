package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.trainer.verify.Outcome;
import dev.retrograd.trainer.verify.Verifier;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/// `retrograd verify FOLDER…`: the program against reference tensors.
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = "Compares this program with folders of reference tensors (golden/README.md defines them): one line for each tensor, then how many passed.",
        footer = {"", "Exit code 1 if any failed; a kind of check that is not known counts as failed."})
final class Verify implements Callable<Integer> {

    @Parameters(arity = "1..*", paramLabel = "FOLDER", description = "Folder with checks.json, reference tensors, and often a model.")
    private List<Path> folders;

    @Mixin
    private DeviceOptions device;

    @ParentCommand
    private Main main;

    @Spec
    private CommandSpec spec;

    private int passed;
    private int failed;
    private double largestShare;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        try (Backend backend = device.openInFloat32(out)) {
            Verifier verifier = new Verifier(backend, outcome -> report(out, outcome));
            for (Path folder : folders) {
                verifier.verify(folder);
            }
        }
        if (main.verbose()) {
            out.printf("largest error in parts of its limit: %.3f%n", largestShare);
        }
        out.println(passed + " passed, " + failed + " failed");
        out.flush();
        return failed == 0 ? ExitCode.DONE : ExitCode.FAILED;
    }

    private void report(PrintWriter out, Outcome outcome) {
        out.println(outcome);
        out.flush();
        if (outcome.passed()) {
            passed++;
            largestShare = Double.isNaN(outcome.share()) ? largestShare : Math.max(largestShare, outcome.share());
        } else {
            failed++;
            if (main.verbose()) {
                outcome.cause().ifPresent(cause -> cause.printStackTrace(spec.commandLine().getErr()));
            }
        }
    }
}
