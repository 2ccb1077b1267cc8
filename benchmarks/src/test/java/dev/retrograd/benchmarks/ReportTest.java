package dev.retrograd.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
    private static final String RUN = """
            {"benchmark": "dev.retrograd.benchmarks.%s", "mode": "thrpt", "params": {"backend": "cpu"%s},
             "primaryMetric": {"score": %s, "scoreError": %s}, "secondaryMetrics": {"flop": {"score": %s}, "bytes": {"score": %s}}}""";

    @TempDir Path folder;

    private Path results(String... runs) throws IOException {
        return Files.writeString(folder.resolve("results.json"), "[" + String.join(",", runs) + "]");
    }

    private static String ceilings() {
        return RUN.formatted("PeakBenchmark.multiplyAdd", "", "1e-4", "1e-6", "400", "0") + "," + RUN.formatted("CeilingBenchmark.traffic", "", "1e-8", "1e-9", "0", "20");
    }

    private Report.Sources sources(Path... comparisons) {
        return new Report.Sources(List.of(folder.resolve("results.json")), List.of(comparisons), new LinkedHashMap<>(), "a machine", "a day", List.of("a command"), folder.resolve("page.md"));
    }

    @Test void sharesAreOfTheCeilingThatIsNearer() throws IOException {
        results(ceilings(), RUN.formatted("MatmulBenchmark.forward", ", \"place\": \"SQUARE_1024\"", "1e-7", "1e-8", "200", "1"),
                RUN.formatted("NormBenchmark.layerNorm", ", \"place\": \"MID\"", "2e-6", "1e-7", "0", "15"));
        String page = Report.page(sources());
        assertTrue(page.contains("| forward | square_1024 | 10.00 | 1.000 | 200.0 | 1.000 | 0.50 |"), page);
        assertTrue(page.contains("| layerNorm | mid | 0.5000 | 0.02500 |  | 15.00 | 0.75 |"), page);
        assertTrue(page.contains("a machine") && page.contains("a day") && page.contains("a command"), page);
    }

    @Test void peaksOfUpdatesAreATableOfTheirOwn() throws IOException {
        results(ceilings(), """
                {"benchmark": "dev.retrograd.benchmarks.UpdateBenchmark.update", "mode": "ss", "measurementBatchSize": 5, "params": {"backend": "cpu", "k": "5", "policy": "STORE"},
                 "primaryMetric": {"score": 1000, "scoreError": "NaN"}, "secondaryMetrics": {"peakBytes": {"score": 52428800}}}""");
        assertTrue(Report.page(sources()).contains("| cpu | k 5, policy STORE | 200.0 | 50.0 |"), Report.page(sources()));
    }

    @Test void comparisonsWithLibtorchBecomeRatios() throws IOException {
        results(ceilings());
        Path comparison = Files.writeString(folder.resolve("c.jsonl"),
                "{\"name\":\"matmul\",\"ours_seconds\":0.01,\"libtorch_seconds\":0.009,\"ratio\":0.9,\"ratio_q1\":0.88,\"ratio_q3\":0.92,\"libtorch_layout\":\"rows\"}\n");
        assertTrue(Report.page(sources(comparison)).contains("| matmul | 10.00 | 9.000 | 0.90 | 0.88–0.92 | rows |"), Report.page(sources(comparison)));
    }

    @Test void sectionsAreTakenOverUnderTheirTitles() throws IOException {
        Path results = results(ceilings());
        Path table = Files.writeString(folder.resolve("t.md"), "| a |\n| --- |\n| 1 |\n");
        String page = Report.page(Report.Sources.parse(results.toString(), "--section", "What it is=" + table, "--machine", "m", "--date", "d"));
        assertTrue(page.contains("\n## What it is\n\n| a |\n| --- |\n| 1 |\n"), page);
    }

    @Test void resultsWithoutCeilingsAreRefused() throws IOException {
        results(RUN.formatted("MatmulBenchmark.forward", "", "1e-7", "1e-8", "200", "1"));
        assertEquals("report: the results must hold Ceiling of cpu (and Peak of a CPU), got none", assertThrows(IOException.class, () -> Report.page(sources())).getMessage());
    }

    @Test void argumentsMustNameResultsMachineAndDate() {
        assertThrows(IllegalArgumentException.class, () -> Report.Sources.parse("results.json"));
        assertThrows(IllegalArgumentException.class, () -> Report.Sources.parse("--machine", "m", "--date", "d"));
        assertThrows(IllegalArgumentException.class, () -> Report.Sources.parse("results.json", "--machine"));
        assertThrows(IllegalArgumentException.class, () -> Report.Sources.parse("results.json", "--machine", "m", "--date", "d", "--colour", "red"));
        assertEquals(List.of("c"), Report.Sources.parse("results.json", "--machine", "m", "--date", "d", "--command", "c").commands());
    }
}
