package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.trainer.Crew;
import dev.retrograd.trainer.ReplicaThread;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.Optional;
import picocli.CommandLine;

/// `train` for a program that has its updates computed on other machines.
///
/// The driver runs the command line and hands its settings to the others; each of these makes a replica of them. Files that settings name must be
/// found under the same paths there.
public final class Cluster {
    private static final String TRAIN = "train";

    private Cluster() {
    }

    /// Who computes for a run.
    @FunctionalInterface
    public interface Crews {

        /// @param settings of the run as JSON, for {@link #replica}
        Crew of(String settings);
    }

    /// Runs a command line of `train`.
    ///
    /// @param arguments without the command
    /// @return an exit code, as the program's
    public static int train(Crews crews, PrintWriter out, PrintWriter err, String... arguments) {
        String[] all = new String[arguments.length + 1];
        all[0] = TRAIN;
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        Main main = new Main(Optional.of(crews));
        int code = ExitCode.FAILED;
        try {
            code = main.execute(out, err, all);
            return code;
        } finally {
            main.ended(code);
        }
    }

    /// How to make a replica of a run.
    ///
    /// @param settings as {@link Crews#of} got them
    /// @param device as `--device` has it, one of this machine
    public static ReplicaThread.Opening replica(String settings, String device) {
        return () -> {
            Settings values = new Settings();
            values.overlay("the run's settings", new ObjectMapper().readTree(settings));
            CommandLine program = new Main().commandLine();
            CommandLine command = program.getSubcommands().get(TRAIN);
            command.setDefaultValueProvider(values);
            program.parseArgs(TRAIN, "--device", device);
            TrainOptions options = ((Train) command.getCommandSpec().userObject()).options();
            options.checkShared(true);
            return Replicas.open(options, options.request(), options.model().backend(new PrintWriter(Writer.nullWriter())));
        };
    }
}
