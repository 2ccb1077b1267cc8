package dev.retrograd.trainer.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/// A finished training run.
///
/// @param name what results call the model
/// @param settings every one
public record Trained(String name, Path folder, JsonNode settings) {
    private static final int MIB = 1 << 20;
    /// Updates of a run over which its first and last rewards are averaged, as a part of all.
    private static final int TENTH = 10;

    /// What it trained: a LoRA, or all weights of a model.
    public Dress dress() {
        Path lora = lora();
        return Files.isDirectory(lora) ? new Dress.Lora(lora) : new Dress.Whole(folder.resolve("model"));
    }

    public Path lora() {
        return folder.resolve("lora");
    }

    /// A LoRA of this run on the way.
    public record Point(int update, double seconds, long queries, Path lora) {
    }

    public List<RunDirectory.Progress> progress() throws IOException {
        return RunDirectory.progressOf(folder);
    }

    /// The checkpoints that are left, oldest first.
    public List<Point> points() throws IOException {
        TreeMap<Integer, Double> seconds = new TreeMap<>();
        double sum = 0;
        for (RunDirectory.Progress p : progress()) {
            sum += p.seconds();
            seconds.put(p.update(), sum);
        }
        List<Point> points = new ArrayList<>();
        for (Path checkpoint : RunDirectory.checkpointsOf(folder)) {
            int update = Integer.parseInt(checkpoint.getFileName().toString().replaceAll("\\D", ""));
            if (seconds.containsKey(update)) {
                points.add(new Point(update, seconds.get(update), queries(update), checkpoint));
            }
        }
        return points;
    }

    /// Images whose reward was asked for in so many updates.
    public long queries(int updates) {
        long batch = number("batch-size");
        return switch (settings.get("method").asText()) {
            case "ddpo" -> epochs(updates, number("ddpo-updates-per-epoch") * number("ddpo-inner-epochs")) * number("ddpo-updates-per-epoch") * batch;
            case "rwr" -> epochs(updates, number("rwr-epochs") * Math.ceilDiv(number("rwr-samples"), batch)) * number("rwr-samples");
            case "draft-lv" -> updates * batch * (1 + number("draft-renoisings"));
            default -> updates * batch;
        };
    }

    private static long epochs(int updates, long perEpoch) {
        return Math.ceilDiv(updates, perEpoch);
    }

    private long number(String setting) {
        return settings.get(setting).asLong();
    }

    /// The mean over the first tenth of the updates, and over the last.
    private static String trainingReward(List<RunDirectory.Progress> progress) {
        int few = Math.max(1, progress.size() / TENTH);
        return mean(progress.subList(0, Math.min(few, progress.size()))) + " → " + mean(progress.subList(Math.max(0, progress.size() - few), progress.size()));
    }

    private static String mean(List<RunDirectory.Progress> some) {
        return String.format(Locale.ROOT, "%.2f", some.stream().mapToDouble(RunDirectory.Progress::rewardMean).average().orElse(Double.NaN));
    }

    /// What the runs took.
    static Table costs(List<Trained> runs) throws IOException {
        List<List<String>> rows = new ArrayList<>();
        for (Trained run : runs) {
            List<RunDirectory.Progress> progress = run.progress();
            rows.add(List.of(run.name, run.settings.get("method").asText(), Integer.toString(progress.size()), Long.toString(run.queries(progress.size())),
                    String.format(Locale.ROOT, "%.1f", progress.stream().mapToDouble(RunDirectory.Progress::k).average().orElse(0)),
                    String.format(Locale.ROOT, "%.0f", progress.stream().mapToDouble(RunDirectory.Progress::seconds).sum()),
                    Long.toString(progress.stream().mapToLong(RunDirectory.Progress::peakBytes).max().orElse(0) / MIB), trainingReward(progress), run.folder.getFileName().toString()));
        }
        return new Table(List.of("model", "method", "updates", "reward queries", "mean K", "seconds", "peak MiB", "reward of training images", "run"), rows);
    }
}
