package dev.retrograd.trainer.check;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// What `gpu-check` found, as `report.json` and, for people, `report.md`.
///
/// @param environment what it ran on, the device among it
/// @param seed of all inputs
public record CheckReport(SequencedMap<String, String> environment, long seed, List<Finding> findings) {
    private static final ObjectMapper JSON = new ObjectMapper();

    public boolean passed() {
        return findings.stream().allMatch(Finding::passed);
    }

    /// @throws IOException if a file cannot be written
    public void write(Path folder) throws IOException {
        AtomicFile.write(folder.resolve("report.json"), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json()));
        AtomicFile.write(folder.resolve("report.md"), markdown().getBytes(StandardCharsets.UTF_8));
    }

    private ObjectNode json() {
        ObjectNode all = JSON.createObjectNode();
        ObjectNode on = all.putObject("environment");
        environment.forEach(on::put);
        all.put("seed", seed).put("passed", passed());
        ArrayNode list = all.putArray("findings");
        for (Finding f : findings) {
            list.addObject().put("section", f.section()).put("name", f.name()).put("passed", f.passed()).put("detail", f.detail()).put("seconds", f.seconds());
        }
        return all;
    }

    private String markdown() {
        List<String> lines = new ArrayList<>(List.of("# gpu-check", ""));
        environment.forEach((name, value) -> lines.add("- " + name + ": " + value));
        lines.add("- seed of the inputs: " + seed);
        lines.add("");
        lines.add(summary());
        lines.add("");
        lines.add(new Table(List.of("section", "checks", "failed", "seconds"), sections()).markdown());
        List<List<String>> failed = findings.stream().filter(f -> !f.passed()).map(f -> List.of(f.section(), f.name(), f.detail())).toList();
        if (!failed.isEmpty()) {
            lines.add("## Failed");
            lines.add("");
            lines.add(new Table(List.of("section", "check", "what is wrong"), failed).markdown());
        }
        lines.add("## Figures");
        lines.add("");
        lines.add(new Table(List.of("section", "check", "figures"),
                findings.stream().filter(f -> f.passed() && !f.detail().isEmpty()).map(f -> List.of(f.section(), f.name(), f.detail())).toList()).markdown());
        return String.join("\n", lines);
    }

    private List<List<String>> sections() {
        Map<String, List<Finding>> bySection = new LinkedHashMap<>();
        findings.forEach(f -> bySection.computeIfAbsent(f.section(), _ -> new ArrayList<>()).add(f));
        return bySection.entrySet().stream().map(e -> List.of(e.getKey(), String.valueOf(e.getValue().size()), String.valueOf(e.getValue().stream().filter(f -> !f.passed()).count()),
                Table.number(e.getValue().stream().mapToDouble(Finding::seconds).sum()))).toList();
    }

    /// `312 passed, 0 failed`.
    public String summary() {
        long passed = findings.stream().filter(Finding::passed).count();
        return passed + " passed, " + (findings.size() - passed) + " failed";
    }
}
