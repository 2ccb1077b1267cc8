package dev.retrograd.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// A page of measured figures, from JMH's JSON and from a comparison with libtorch.
final class Report {
    private static final String USAGE = "usage: report [RESULTS.json]… [--libtorch COMPARISON.jsonl]… [--section TITLE=TABLE.md]… --machine TEXT --date DATE [--command TEXT]… [--output FILE]";
    private static final double GIGA = 1e9;
    private static final double MEBI = 1 << 20;

    private Report() {
    }

    /// What the page is made of.
    ///
    /// @param results of JMH
    /// @param comparisons of the module `libtorch`
    /// @param sections Markdown of other commands, by the title that it gets, in order
    /// @param machine and date that the figures were measured on and at
    /// @param commands that measured them
    record Sources(List<Path> results, List<Path> comparisons, SequencedMap<String, Path> sections, String machine, String date, List<String> commands, Path output) {

        /// @throws IllegalArgumentException if the arguments are not as the usage says
        static Sources parse(String... args) {
            List<Path> results = new ArrayList<>();
            List<Path> comparisons = new ArrayList<>();
            SequencedMap<String, Path> sections = new LinkedHashMap<>();
            List<String> commands = new ArrayList<>();
            String machine = "";
            String date = "";
            Path output = Main.page();
            for (int i = 0; i < args.length; i++) {
                if (!args[i].startsWith("--")) {
                    results.add(Path.of(args[i]));
                    continue;
                }
                if (i + 1 == args.length) {
                    throw new IllegalArgumentException(USAGE + ", got " + args[i] + " without a value");
                }
                String value = args[i + 1];
                switch (args[i++]) {
                    case "--libtorch" -> comparisons.add(Path.of(value));
                    case "--section" -> {
                        int equals = value.indexOf('=');
                        if (equals < 1) {
                            throw new IllegalArgumentException("--section: TITLE=FILE is required, got " + value);
                        }
                        sections.put(value.substring(0, equals), Path.of(value.substring(equals + 1)));
                    }
                    case "--machine" -> machine = value;
                    case "--date" -> date = value;
                    case "--command" -> commands.add(value);
                    case "--output" -> output = Path.of(value);
                    default -> throw new IllegalArgumentException(USAGE + ", got " + args[i - 1]);
                }
            }
            if (results.isEmpty() && comparisons.isEmpty() && sections.isEmpty() || machine.isEmpty() || date.isEmpty()) {
                throw new IllegalArgumentException(USAGE);
            }
            return new Sources(results, comparisons, sections, machine, date, commands, output);
        }
    }

    /// @throws IOException if a file cannot be read, or lacks the ceilings that the rest is compared with
    static void write(Sources sources) throws IOException {
        AtomicFile.writeString(sources.output(), page(sources));
    }

    static String page(Sources sources) throws IOException {
        Results results = Results.read(sources.results());
        StringBuilder page = new StringBuilder("# Performance\n\nWritten by `java -jar benchmarks/target/benchmarks.jar report`; edit the program, not the page.\n\n");
        page.append("Machine: ").append(sources.machine()).append(". Date: ").append(sources.date()).append(".\n\n```\n");
        sources.commands().forEach(c -> page.append(c).append('\n'));
        page.append("```\n");
        if (!sources.comparisons().isEmpty()) {
            comparison(page, sources.comparisons());
        }
        for (Map.Entry<String, Path> section : sources.sections().entrySet()) {
            page.append("\n## ").append(section.getKey()).append("\n\n").append(Files.readString(section.getValue()).strip()).append('\n');
        }
        memory(page, results);
        for (String backend : results.runs().stream().map(Results.Run::backend).distinct().toList()) {
            kernels(page, results, backend);
        }
        return page.toString();
    }

    private static void kernels(StringBuilder page, Results results, String backend) throws IOException {
        double arithmetic = results.arithmeticCeiling(backend);
        double traffic = results.trafficCeiling(backend);
        page.append("\n## Kernels, ").append(backend).append("\n\nMeasured ceilings: ").append(Table.number(arithmetic / GIGA)).append(" GFLOP/s, ")
                .append(Table.number(traffic / GIGA)).append(" GB/s. A kernel's share is that of the ceiling it is nearer to; bytes count each operand and result once, so a share\n")
                .append("above 1 says that a cache held them.\n");
        Map<String, List<List<String>>> groups = new LinkedHashMap<>();
        for (Results.Run r : results.runs()) {
            if (r.backend().equals(backend) && r.peakBytes().isEmpty()) {
                groups.computeIfAbsent(r.group(), _ -> new ArrayList<>()).add(row(r, arithmetic, traffic));
            }
        }
        groups.forEach((group, rows) -> page.append("\n### ").append(group).append("\n\n")
                .append(new Table(List.of("kernel", "shape", "ms", "±", "GFLOP/s", "GB/s", "share of ceiling"), rows).markdown()));
    }

    private static List<String> row(Results.Run r, double arithmetic, double traffic) {
        double share = Math.max(r.flops() / arithmetic, r.bandwidth() / traffic);
        return List.of(r.method(), r.place(), Table.number(r.seconds() * 1e3), shown(r.error() * 1e3), shown(r.flops() / GIGA), shown(r.bandwidth() / GIGA), "%.2f".formatted(share));
    }

    private static String shown(double value) {
        return Double.isFinite(value) && value > 0 ? Table.number(value) : "";
    }

    private static void memory(StringBuilder page, Results results) {
        List<List<String>> rows = new ArrayList<>();
        for (Results.Run r : results.runs()) {
            if (r.peakBytes().isPresent()) {
                rows.add(List.of(r.backend(), r.place(), Table.number(r.seconds() * 1e3), "%.1f".formatted(r.peakBytes().getAsDouble() / MEBI)));
            }
        }
        if (!rows.isEmpty()) {
            page.append("\n## Memory of an update\n\nAn AlignProp update of the miniature, two images of 64×64 in ten steps; peak of live bytes, weights included.\n\n")
                    .append(new Table(List.of("backend", "what", "ms", "peak MiB"), rows).markdown());
        }
    }

    private static void comparison(StringBuilder page, List<Path> files) throws IOException {
        List<List<String>> rows = new ArrayList<>();
        for (Path file : files) {
            for (String line : Files.readAllLines(file)) {
                JsonNode one = Results.tree(file, line);
                for (String key : List.of("ours_seconds", "libtorch_seconds", "ratio", "ratio_q1", "ratio_q3")) {
                    if (!one.path(key).isNumber()) {
                        throw new IOException(file + ": each line must have the number '" + key + "', got one without");
                    }
                }
                rows.add(List.of(one.path("name").asText(), Table.number(one.path("ours_seconds").asDouble() * 1e3), Table.number(one.path("libtorch_seconds").asDouble() * 1e3),
                        "%.2f".formatted(one.path("ratio").asDouble()), "%.2f–%.2f".formatted(one.path("ratio_q1").asDouble(), one.path("ratio_q3").asDouble()), one.path("libtorch_layout").asText()));
            }
        }
        page.append("\n## Beside libtorch with MKL\n\nOne process, the same values and threads, in turns; the ratio is libtorch's time to ours, median and quartiles of all rounds: above 1 where ours is faster. libtorch\n")
                .append("is given images in both memory formats, and its faster one counts. [libtorch.md](libtorch.md) says what each row is, and what limits the slow ones.\n\n")
                .append(new Table(List.of("", "ours ms", "libtorch ms", "ratio", "quartiles", "layout"), rows).markdown());
    }
}
