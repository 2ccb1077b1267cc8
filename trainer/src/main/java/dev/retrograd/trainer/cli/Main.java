package dev.retrograd.trainer.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/// The program: `retrograd COMMAND …`.
@Command(
        name = "retrograd",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        usageHelpAutoWidth = true,
        synopsisSubcommandLabel = "COMMAND",
        description = "Aligns text-to-image diffusion models by sending the gradient of a reward back through the denoising chain.",
        footer = {"", "retrograd COMMAND --help describes a command."},
        subcommands = {Train.class, Plan.class, Sample.class, Evaluate.class, Mix.class, Experiment.class, Merge.class, FitReward.class, Pretrain.class, MakeRandomModel.class, Verify.class, GpuCheck.class, Report.class, Info.class})
public final class Main implements Runnable {

    @Option(
            names = {"-v", "--verbose"},
            scope = ScopeType.INHERIT,
            description = "Print the stack trace of an error.")
    private boolean verbose;

    @Spec
    private CommandSpec spec;

    private final CompletableFuture<Integer> exitCode = new CompletableFuture<>();
    private final Optional<Cluster.Crews> crews;

    Main() {
        this(Optional.empty());
    }

    /// @param crews who computes the updates of `train`; empty for this machine's devices
    Main(Optional<Cluster.Crews> crews) {
        this.crews = crews;
    }

    /// Starts the program; ends the process with an [ExitCode].
    public static void main(String[] args) {
        StandardError.restore();
        ParentDeath.follow();
        Main main = new Main();
        int code = ExitCode.FAILED;
        try {
            code = main.execute(new PrintWriter(System.out), new PrintWriter(System.err), args);
        } finally {
            System.out.flush();
            main.ended(code);
        }
        System.exit(code);
    }

    /// Does what a command line asks for.
    ///
    /// @return an [ExitCode]
    int execute(PrintWriter out, PrintWriter err, String... args) {
        CommandLine commandLine = commandLine().setOut(out).setErr(err);
        try {
            SettingsLayers.install(commandLine, args);
            return commandLine.execute(args);
        } catch (IOException | IllegalArgumentException e) {
            return Errors.onFailure(e, commandLine);
        } catch (OutOfMemoryError e) {
            // Heap or native memory: the message says which. No stack trace helps here, a smaller batch does.
            err.println("retrograd: out of memory: " + e.getMessage());
            return ExitCode.FAILED;
        } finally {
            out.flush();
            err.flush();
        }
    }

    /// The command line with all commands and the handling of errors.
    CommandLine commandLine() {
        return handleErrors(new CommandLine(this));
    }

    /// Lets a signal that came meanwhile end the process.
    void ended(int code) {
        exitCode.complete(code);
    }

    /// Lets a command save before a signal ends it; to be closed when it has.
    Interrupt interruptible() {
        return Interrupt.open(exitCode);
    }

    /// Sends what goes wrong in any command that the command line has by now to [Errors].
    static CommandLine handleErrors(CommandLine commandLine) {
        return commandLine
                .setParameterExceptionHandler(Errors::onUsage)
                .setExecutionExceptionHandler(Errors::onFailure)
                .registerConverter(Path.class, Main::path)
                .registerConverter(MethodChoice.class, MethodChoice::parse)
                .setExpandAtFiles(false) // a prompt may begin with @
                .setCaseInsensitiveEnumValuesAllowed(true);
    }

    private static Path path(String text) {
        if (text.isEmpty()) {
            throw new TypeConversionException("must be a path, got nothing");
        }
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new TypeConversionException("must be a path, got one with " + e.getReason());
        }
    }

    /// Without a command: says how to use it.
    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    Optional<Cluster.Crews> crews() {
        return crews;
    }

    boolean verbose() {
        return verbose;
    }

    /// The program's version, from the jar's manifest.
    static final class Version implements IVersionProvider {

        static String current() {
            return Objects.requireNonNullElse(Main.class.getPackage().getImplementationVersion(), "(not started from its jar)");
        }

        @Override
        public String[] getVersion() {
            return new String[] {"retrograd " + current()};
        }
    }
}
