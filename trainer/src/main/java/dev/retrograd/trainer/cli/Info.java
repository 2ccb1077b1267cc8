package dev.retrograd.trainer.cli;

import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.util.stream.Collectors;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `retrograd info`: what the program runs on.
@Command(
        name = "info",
        mixinStandardHelpOptions = true,
        description = "Prints the program's version, the Java that runs it, its JVM flags and the devices it can use.")
final class Info implements Runnable {

    private static final long MIB = 1 << 20;

    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        row(out, "version", Main.Version.current());
        row(out, "java", property("java.runtime.version") + ", " + property("java.vendor") + ", " + property("java.home"));
        row(out, "system", property("os.name") + " " + property("os.version") + ", " + property("os.arch"));
        row(out, "flags", flags());
        row(out, "heap", Runtime.getRuntime().maxMemory() / MIB + " MiB at most; tensors live outside it");
        row(out, "devices", "cpu (" + cpu() + ")");
        out.flush();
    }

    /// The JVM flags in effect, without what launcher and script tell the program.
    private static String flags() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> !flag.startsWith("-Dretrograd."))
                .collect(Collectors.joining(" "));
    }

    private static String cpu() {
        VectorSpecies<Float> species = FloatVector.SPECIES_PREFERRED;
        return Runtime.getRuntime().availableProcessors() + " cores, vectors of " + species.length() + " × float32, "
                + species.vectorBitSize() + " bits";
    }

    private static String property(String name) {
        return System.getProperty(name);
    }

    private static void row(PrintWriter out, String name, String value) {
        out.printf("%-8s %s%n", name, value);
    }
}
