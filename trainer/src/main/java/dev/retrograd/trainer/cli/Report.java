package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.report.HtmlReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `retrograd report RUN`: a run's page.
@Command(name = "report", mixinStandardHelpOptions = true,
        description = "Writes report.html into a run's folder: curves, K, memory, pictures and settings on one page that needs no network. `train` does so at its end; this also serves a run that goes on.")
final class Report implements Callable<Integer> {
    @Parameters(paramLabel = "RUN", description = "Folder of a run.")
    private Path run;

    @Spec
    private CommandSpec spec;

    @Override public Integer call() throws IOException {
        spec.commandLine().getOut().println("report: " + HtmlReport.write(run));
        return ExitCode.DONE;
    }
}
