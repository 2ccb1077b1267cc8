package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.Precision;
import dev.retrograd.core.testing.Claims;
import dev.retrograd.core.testing.Close;
import dev.retrograd.unet.LoraFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.DoubleStream;

/// Training runs of `gpu-check`, by the command `train` itself, into folders of their own.
///
/// @param device as `--device` calls it
/// @param folder for the runs; they stay there
record TrainingCheck(String device, Path folder) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double KIB = 1 << 10;
    private static final double MIB = 1 << 20;
    private static final double GIB = 1 << 30;
    private static final List<String> MINIATURE = List.of("--batch-size=2", "--micro-batch-size=2", "--steps=4", "--truncation=fixed(2)", "--height=32", "--width=32",
            "--prompt=a large red ring in the center on a white background", "--seed=5");
    private static final List<String> WITHOUT_PICTURES = List.of("--sample-every=0", "--sample-images=1", "--diversity-prompts=0", "--save-every=1000000");
    /// Of the loss, against the CPU in float32.
    private static final double FLOAT32_LIMIT = 1e-3;
    private static final double ROUNDED_LIMIT = 0.05;

    /// The model inside the jar, a few updates on the CPU and on the device from the same seed.
    ///
    /// @return how far losses and weights are apart
    /// @throws AssertionError if a run fails, or losses are too far apart
    String miniature(Precision precision, int updates) {
        List<String> settings = new ArrayList<>(MINIATURE);
        settings.add("--updates=" + updates);
        Path cpu = folder.resolve("miniature-cpu");
        if (Files.notExists(cpu)) {
            train(cpu, "cpu", Precision.F32, settings);
        }
        Path other = folder.resolve("miniature-" + precision);
        train(other, device, precision, settings);
        double[] expected = column(cpu, "loss");
        double[] actual = column(other, "loss");
        Claims.assertEquals(expected.length, actual.length, "updates");
        double limit = precision == Precision.F32 ? FLOAT32_LIMIT : ROUNDED_LIMIT;
        Close.elements("loss of each update, CPU and " + precision, expected, actual, 0, limit);
        planned(other);
        return String.format(Locale.ROOT, "losses %s, on the CPU %s; LoRA after %d updates apart by %.1e of its norm", Arrays.toString(actual), Arrays.toString(expected), updates,
                Close.relativeL2(weights(cpu), weights(other)));
    }

    /// Updates of the model inside the jar with launches submitted as CUDA graphs, and one by one.
    ///
    /// @return seconds of the last update with graphs and without, and what graphs take of the device's memory
    /// @throws AssertionError if a run fails, or a bit of the weights or losses differs
    String graphs(Precision precision, int updates) {
        Path[] runs = {folder.resolve("graphs-on"), folder.resolve("graphs-off")};
        for (Path run : runs) {
            List<String> settings = new ArrayList<>(MINIATURE);
            settings.addAll(List.of("--updates=" + updates, "--cuda-" + run.getFileName().toString().replace('-', '=')));
            train(run, device, precision, settings);
        }
        Claims.assertArrayEquals(column(runs[1], "loss"), column(runs[0], "loss"), "losses, with CUDA graphs and without");
        Claims.assertArrayEquals(weights(runs[1]), weights(runs[0]), "LoRA after " + updates + " updates, with CUDA graphs and without");
        return String.format(Locale.ROOT, "the same LoRA after %d updates, of which the last took %.3f s with graphs and %.3f s without; %s", updates, column(runs[0], "seconds")[updates - 1],
                column(runs[1], "seconds")[updates - 1], graphMemory(lines(runs[0]).getLast()));
    }

    /// What a plan assumes, beside what the device takes.
    static String graphMemory(JsonNode update) {
        double launches = update.path("graph_launches").asDouble();
        double bytes = update.path("graph_bytes").asDouble();
        return launches == 0 ? "no graphs" : String.format(Locale.ROOT, "graphs of %.0f launches took %.1f MiB of the device, %.2f KiB a launch (plans assume %.0f)", launches, bytes / MIB, bytes / launches / KIB,
                GraphUse.ASSUMED_BYTES_PER_LAUNCH / KIB);
    }

    /// One update of one image of a whole model with random weights.
    ///
    /// @return its loss, seconds and peak memory
    /// @throws AssertionError if the run fails, or its memory is not as planned
    String update(String arch, Precision precision, int steps, int kept) {
        Path run = folder.resolve("update-" + arch + "-" + precision + "-k" + kept);
        train(run, device, precision, List.of("--arch=" + arch, "--updates=1", "--batch-size=1", "--micro-batch-size=1", "--steps=" + steps, "--truncation=fixed(" + kept + ")", "--prompt=a photo of a fox"));
        planned(run);
        return String.format(Locale.ROOT, "%d steps, %d differentiated: loss %.6g, %.2f s, peak of tensors %.3f GiB as planned", steps, kept, column(run, "loss")[0], column(run, "seconds")[0],
                column(run, "peak_bytes")[0] / GIB);
    }

    private void train(Path output, String on, Precision precision, List<String> settings) {
        List<String> all = new ArrayList<>(List.of("train", "--device=" + on, "--precision=" + precision, "--output=" + output));
        all.addAll(settings);
        all.addAll(WITHOUT_PICTURES);
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = new Main().execute(new PrintWriter(out), new PrintWriter(err), all.toArray(String[]::new));
        Claims.assertEquals(ExitCode.DONE, code, "exit code of " + String.join(" ", all) + ": " + err.toString().strip());
    }

    /// What every update took must be what was planned.
    private static void planned(Path run) {
        Claims.assertArrayEquals(column(run, "planned_peak_bytes"), column(run, "peak_bytes"), "peak bytes of each update, planned and actual");
    }

    private static double[] column(Path run, String key) {
        return lines(run).stream().mapToDouble(line -> {
            JsonNode value = line.path(key);
            Claims.assertTrue(value.isNumber(), key + ": a number is required in every line of " + run + ", got " + value);
            return value.asDouble();
        }).toArray();
    }

    private static List<JsonNode> lines(Path run) {
        try {
            List<JsonNode> lines = new ArrayList<>();
            for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
                lines.add(JSON.readTree(line));
            }
            return lines;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static double[] weights(Path run) {
        try {
            return LoraFile.read(run.resolve("lora"), OptionalDouble.empty()).values().stream()
                    .flatMapToDouble(u -> DoubleStream.concat(DoubleStream.of(Close.widened(u.a())), DoubleStream.of(Close.widened(u.b())))).toArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
