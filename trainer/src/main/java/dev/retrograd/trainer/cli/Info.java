package dev.retrograd.trainer.cli;

import java.io.PrintWriter;
import java.util.SequencedMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `retrograd info`: what the program runs on.
@Command(
        name = "info",
        mixinStandardHelpOptions = true,
        description = "Prints the program's version, the Java that runs it, its JVM flags and the devices it can use.")
final class Info implements Runnable {

    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        SequencedMap<String, String> environment = Environment.current();
        String cpu = environment.remove("cpu");
        environment.forEach((name, value) -> row(out, name, value));
        String name = "devices";
        for (String device : new Devices().describe(cpu)) {
            row(out, name, device);
            name = "";
        }
        out.flush();
    }

    private static void row(PrintWriter out, String name, String value) {
        out.printf("%-8s %s%n", name, value);
    }
}
