package dev.retrograd.trainer.evaluate;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.image.ImageGrid;
import dev.retrograd.trainer.image.PngFile;
import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;

/// Results of several models on the same prompts and noise; the first model is what the others are compared with.
///
/// @param all of every model and set of prompts, in the order of the models
public record Comparison(List<Scored> all) {

    public Comparison {
        all = List.copyOf(all);
    }

    /// Means and standard errors, a row for each model and set.
    public Table table() {
        List<String> heading = new ArrayList<>(List.of("model", "prompts", "images"));
        SequencedSet<String> measures = measures();
        heading.addAll(measures);
        List<List<String>> rows = new ArrayList<>();
        for (Scored s : all) {
            List<String> row = new ArrayList<>(List.of(s.model(), s.prompts(), Integer.toString(images(s))));
            measures.forEach(m -> row.add(s.scores().containsKey(m) ? Estimate.of(s.scores().get(m)).toString() : ""));
            rows.add(row);
        }
        return new Table(heading, rows);
    }

    /// What each model changes against the first, pair by pair of images from the same noise.
    public Table changes() {
        List<String> heading = new ArrayList<>(List.of("model", "prompts"));
        heading.addAll(measures());
        List<List<String>> rows = new ArrayList<>();
        for (Scored s : all) {
            if (!s.model().equals(all.getFirst().model())) {
                List<String> row = new ArrayList<>(List.of(s.model(), s.prompts()));
                measures().forEach(m -> row.add(Estimate.ofDifference(s.scores().get(m), base(s).scores().get(m)).toString()));
                rows.add(row);
            }
        }
        return new Table(heading, rows);
    }

    /// Every number, a row for each model, set and measure.
    public Table numbers() {
        List<List<String>> rows = new ArrayList<>();
        for (Scored s : all) {
            s.scores().forEach((measure, values) -> {
                Estimate e = Estimate.of(values);
                Estimate change = Estimate.ofDifference(values, base(s).scores().get(measure));
                rows.add(List.of(s.model(), s.prompts(), measure, Integer.toString(e.count()), Double.toString(e.mean()), Double.toString(e.standardError()),
                        Double.toString(change.mean()), Double.toString(change.standardError())));
            });
        }
        return new Table(List.of("model", "prompts", "measure", "count", "mean", "standard_error", "change", "change_standard_error"), rows);
    }

    private static int images(Scored s) {
        return s.scores().entrySet().stream().filter(e -> !e.getKey().equals(Evaluator.DIVERSITY)).mapToInt(e -> e.getValue().length).findFirst().orElse(0);
    }

    /// Names of what was measured, in order.
    public SequencedSet<String> measures() {
        SequencedSet<String> measures = new LinkedHashSet<>();
        all.forEach(s -> measures.addAll(s.scores().keySet()));
        return measures;
    }

    private Scored base(Scored other) {
        return all.stream().filter(s -> s.prompts().equals(other.prompts())).findFirst().orElseThrow();
    }

    /// The tables as a page.
    ///
    /// @param about sentences above them
    public String markdown(List<String> about) {
        Table changes = changes();
        String second = changes.rows().isEmpty() ? "" : "\nChange against " + all.getFirst().model() + ", of images from the same noise:\n\n" + changes.markdown();
        return String.join("\n\n", about) + "\n\n" + table().markdown() + second;
    }

    /// Writes `evaluation.csv`, `evaluation.md` and the grids.
    ///
    /// @param about sentences on the page
    /// @throws IOException if a file cannot be written
    public void write(Path folder, List<String> about) throws IOException {
        AtomicFile.writeString(folder.resolve("evaluation.csv"), numbers().csv());
        AtomicFile.writeString(folder.resolve("evaluation.md"), markdown(about));
        writeGrids(folder);
    }

    /// Writes for each set of prompts `grid-NAME.png`: a row for each of the first prompts, a column for each model.
    ///
    /// @throws IOException if a file cannot be written
    public void writeGrids(Path folder) throws IOException {
        SequencedSet<String> sets = new LinkedHashSet<>();
        all.forEach(s -> sets.add(s.prompts()));
        for (String set : sets) {
            PngFile.write(folder.resolve("grid-" + set + ".png"), grid(set), Map.of());
        }
    }

    /// The images of a set that were kept: a row for each, a column for each model.
    public RgbImage grid(String set) {
        List<Scored> models = all.stream().filter(s -> s.prompts().equals(set)).toList();
        List<RgbImage> cells = new ArrayList<>();
        for (int i = 0; i < models.getFirst().shown().size(); i++) {
            for (Scored s : models) {
                cells.add(s.shown().get(i));
            }
        }
        ImageGrid usual = ImageGrid.of(cells.size(), cells.getFirst().width());
        return new ImageGrid(models.size(), usual.gap(), usual.enlargement()).compose(cells);
    }
}
