package dev.retrograd.benchmarks;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.JsonError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/// What JMH measured, from its JSON.
///
/// @param runs in the order of the files
record Results(List<Run> runs) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double NANOS_PER_SECOND = 1e9;

    /// One benchmark with one choice of parameters.
    ///
    /// @param group class of the benchmark, without the word
    /// @param method of the class
    /// @param backend `cpu`, `cuda`
    /// @param place other parameters
    /// @param seconds of one run of the kernel
    /// @param error half the width of JMH's 99.9 % interval, in seconds
    /// @param flops per second; 0 where memory bounds it
    /// @param bandwidth bytes per second; 0 where unknown
    /// @param peakBytes of an update
    record Run(String group, String method, String backend, String place, double seconds, double error, double flops, double bandwidth, OptionalDouble peakBytes) {
    }

    /// @throws IOException if a file cannot be read or is not what `-rf json` writes
    static Results read(List<Path> files) throws IOException {
        List<Run> runs = new ArrayList<>();
        for (Path file : files) {
            JsonNode all = tree(file, Files.readString(file));
            if (!all.isArray()) {
                throw new IOException(file + ": must be an array, as JMH's -rf json writes it, got " + all.getNodeType());
            }
            for (JsonNode one : all) {
                runs.add(run(file, one));
            }
        }
        return new Results(runs);
    }

    /// @throws IOException if it is no JSON
    static JsonNode tree(Path file, String text) throws IOException {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IOException(file + ": must be JSON, got something else: " + JsonError.withPlace(e), e);
        }
    }

    private static Run run(Path file, JsonNode one) throws IOException {
        String name = one.path("benchmark").asText();
        JsonNode metric = one.path("primaryMetric");
        if (name.isEmpty() || !metric.path("score").isNumber()) {
            throw new IOException(file + ": must hold results of JMH, each with 'benchmark' and 'primaryMetric.score', got one without");
        }
        String[] parts = name.split("\\.");
        String group = parts[Math.max(parts.length - 2, 0)].replaceAll("Benchmark$", "");
        List<String> place = new ArrayList<>();
        for (Map.Entry<String, JsonNode> p : one.path("params").properties()) {
            if (!p.getKey().equals("backend")) {
                place.add(p.getKey().equals("place") ? p.getValue().asText().toLowerCase(Locale.ROOT) : p.getKey() + " " + p.getValue().asText());
            }
        }
        double score = metric.path("score").asDouble();
        double error = metric.path("scoreError").asDouble(Double.NaN); // "NaN" as text after a single shot
        boolean throughput = one.path("mode").asText().equals("thrpt");
        double seconds = throughput ? 1 / (score * NANOS_PER_SECOND) : score / 1000 / Math.max(1, one.path("measurementBatchSize").asInt(1));
        JsonNode other = one.path("secondaryMetrics");
        JsonNode peak = other.path("peakBytes").path("score");
        return new Run(group, parts[parts.length - 1], one.path("params").path("backend").asText("cpu"), String.join(", ", place), seconds,
                throughput ? seconds * error / score : Double.NaN, other.path("flop").path("score").asDouble() * NANOS_PER_SECOND,
                other.path("bytes").path("score").asDouble() * NANOS_PER_SECOND, peak.isNumber() ? OptionalDouble.of(peak.asDouble()) : OptionalDouble.empty());
    }

    /// The best of the arithmetic that was measured on a backend, FLOP/s; on a CPU that of its arithmetic units.
    ///
    /// @throws IOException if no ceiling was measured
    double arithmeticCeiling(String backend) throws IOException {
        return runs.stream().filter(r -> r.backend().equals(backend) && (r.group().equals("Ceiling") || r.group().equals("Peak"))).mapToDouble(Run::flops).max()
                .stream().filter(f -> f > 0).findFirst().orElseThrow(() -> new IOException("report: the results must hold Ceiling of " + backend + " (and Peak of a CPU), got none"));
    }

    /// The traffic that was measured on a backend, bytes per second.
    ///
    /// @throws IOException if it was not measured
    double trafficCeiling(String backend) throws IOException {
        return runs.stream().filter(r -> r.backend().equals(backend) && r.group().equals("Ceiling") && r.method().equals("traffic")).mapToDouble(Run::bandwidth).findFirst()
                .orElseThrow(() -> new IOException("report: the results must hold CeilingBenchmark.traffic of " + backend + ", got none"));
    }
}
