package dev.retrograd.trainer.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.io.JsonError;
import dev.retrograd.core.io.ModelFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A run's folder as one JSON object: `name`, `config`, `environment`, `metrics` (one object per update), `evaluations` (rewards of
/// fixed images) and `samples` (`update`, and `png` as a data URL); it may be of a run that still goes on.
final class RunSummary {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern SAMPLE = Pattern.compile("update-(\\d+)\\.png");

    private RunSummary() {}

    /// @throws ModelFormatException if the folder holds no run, or its settings are no JSON
    /// @throws IOException if it cannot be read
    static ObjectNode read(Path run) throws IOException {
        Path config = run.resolve("config.json");
        if (!Files.isRegularFile(config)) {
            throw new ModelFormatException(run + ": the folder of a run with a config.json is required, got none");
        }
        ObjectNode all = JSON.createObjectNode();
        all.put("name", run.toAbsolutePath().normalize().getFileName().toString());
        all.set("config", object(config));
        Path environment = run.resolve("environment.json");
        all.set("environment", Files.isRegularFile(environment) ? object(environment) : JSON.createObjectNode());
        all.set("metrics", lines(run.resolve("metrics.jsonl")));
        all.set("evaluations", lines(run.resolve("evaluations.jsonl")));
        all.set("samples", samples(run.resolve("samples")));
        return all;
    }

    private static JsonNode object(Path file) throws IOException {
        try {
            return JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(file + ": JSON is required, got " + JsonError.withPlace(e));
        }
    }

    /// Half a line, which a run that was killed or is just writing leaves, is none yet.
    private static ArrayNode lines(Path file) throws IOException {
        ArrayNode all = JSON.createArrayNode();
        if (Files.isRegularFile(file)) {
            for (String line : new String(Files.readAllBytes(file), StandardCharsets.UTF_8).lines().toList()) {
                try {
                    all.add(JSON.readTree(line));
                } catch (JsonProcessingException e) {
                    break;
                }
            }
        }
        return all;
    }

    private static ArrayNode samples(Path folder) throws IOException {
        ArrayNode all = JSON.createArrayNode();
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.list(folder)) {
                List<Path> sorted = files.filter(f -> SAMPLE.matcher(f.getFileName().toString()).matches()).sorted().toList();
                for (Path file : sorted) {
                    Matcher name = SAMPLE.matcher(file.getFileName().toString());
                    name.matches();
                    all.addObject().put("update", Long.parseLong(name.group(1)))
                            .put("png", "data:image/png;base64," + Base64.getEncoder().encodeToString(Files.readAllBytes(file)));
                }
            }
        }
        return all;
    }
}
