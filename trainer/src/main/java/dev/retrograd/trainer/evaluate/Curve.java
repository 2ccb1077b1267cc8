package dev.retrograd.trainer.evaluate;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/// Measures of mixes over their coefficient.
///
/// @param coefficients ascending, one for each model of the comparison, in its order
public record Curve(List<Double> coefficients, Comparison comparison) {
    private static final List<String> COLOURS = List.of("#1f77b4", "#d95f02");

    /// @throws IllegalArgumentException unless there is a coefficient for each model
    public Curve {
        coefficients = List.copyOf(coefficients);
        long models = comparison.all().stream().map(Scored::model).distinct().count();
        if (models != coefficients.size()) {
            throw new IllegalArgumentException("curve: a coefficient for each of " + models + " models is required, got " + coefficients.size());
        }
    }

    private SequencedSet<String> sets() {
        SequencedSet<String> sets = new LinkedHashSet<>();
        comparison.all().forEach(s -> sets.add(s.prompts()));
        return sets;
    }

    private List<Scored> of(String set) {
        return comparison.all().stream().filter(s -> s.prompts().equals(set)).toList();
    }

    /// Every point: a row for each coefficient, set and measure.
    public Table numbers() {
        List<List<String>> rows = new ArrayList<>();
        for (String set : sets()) {
            List<Scored> models = of(set);
            for (int i = 0; i < models.size(); i++) {
                double c = coefficients.get(i);
                models.get(i).scores().forEach((measure, values) -> {
                    Estimate e = Estimate.of(values);
                    rows.add(List.of(Double.toString(c), set, measure, Integer.toString(e.count()), Double.toString(e.mean()), Double.toString(e.standardError())));
                });
            }
        }
        return new Table(List.of("coefficient", "prompts", "measure", "count", "mean", "standard_error"), rows);
    }

    /// One measure, a line for each set of prompts; bars are standard errors.
    public LineChart chart(String measure) {
        List<LineChart.Series> series = new ArrayList<>();
        for (String set : sets()) {
            series.add(new LineChart.Series(set, COLOURS.get(series.size() % COLOURS.size()), true, points(set, measure)));
        }
        return new LineChart("coefficient of the second LoRA", measure, series);
    }

    private List<LineChart.Point> points(String set, String measure) {
        List<Scored> models = of(set);
        List<LineChart.Point> points = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            Estimate e = Estimate.of(models.get(i).scores().get(measure));
            points.add(new LineChart.Point(coefficients.get(i), e.mean(), e.count() > 1 ? e.standardError() : 0));
        }
        return points;
    }

    /// Writes `curve.csv`, `curve.md`, a chart `curve-MEASURE.svg` for each measure, and the grids of {@link Comparison#writeGrids}.
    ///
    /// @param about sentences on the page
    /// @throws IOException if a file cannot be written
    public void write(Path folder, List<String> about) throws IOException {
        StringBuilder pictures = new StringBuilder();
        for (String measure : comparison.measures()) {
            String file = "curve-" + measure.replaceAll("[^A-Za-z0-9.-]", "_") + ".svg";
            AtomicFile.writeString(folder.resolve(file), chart(measure).svg());
            pictures.append("\n![").append(measure).append("](").append(file).append(")\n");
        }
        AtomicFile.writeString(folder.resolve("curve.csv"), numbers().csv());
        AtomicFile.writeString(folder.resolve("curve.md"), String.join("\n\n", about) + "\n\n" + comparison.table().markdown() + pictures);
        comparison.writeGrids(folder);
    }
}
