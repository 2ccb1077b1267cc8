package dev.retrograd.trainer.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// A run as one page that needs nothing beside it: curves, the histogram of K, memory, pictures of fixed prompts and seeds, settings.
public final class HtmlReport {
    /// What the page is called in a run's folder.
    public static final String NAME = "report.html";
    private static final String CHARTS = "/META-INF/resources/webjars/chart.js/4.5.1/dist/chart.umd.min.js";

    private HtmlReport() {}

    /// Writes `report.html` into a run's folder.
    ///
    /// @param run may still go on
    /// @return the file
    /// @throws IOException if the folder holds no run or cannot be written
    public static Path write(Path run) throws IOException {
        Path file = run.resolve(NAME);
        AtomicFile.writeString(file, page(run));
        return file;
    }

    static String page(Path run) throws IOException {
        return resource("report.html").replace("{{chart.js}}", resource(CHARTS)).replace("{{run}}", inScript(RunSummary.read(run)));
    }

    /// JSON inside a script element: nothing in it can end the element.
    private static String inScript(JsonNode json) {
        return json.toString().replace("<", "\\u003c");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = HtmlReport.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException("the jar lacks " + name + "; it is damaged, build it again");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
