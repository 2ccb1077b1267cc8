package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Estimate;
import dev.retrograd.trainer.evaluate.Scored;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.image.RgbImage;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Looks into measurements.
///
/// @param comparison of several models
record Findings(Comparison comparison) {
    static final String TRAIN = "train";
    static final String UNSEEN = "unseen";
    private static final List<String> COLOURS = List.of("#1f77b4", "#d95f02", "#2ca02c", "#9467bd");

    static String colour(int series) {
        return COLOURS.get(series % COLOURS.size());
    }

    /// The sets of prompts, in order: training prompts first.
    List<String> sets() {
        return comparison.all().stream().map(Scored::prompts).distinct().toList();
    }

    Scored of(String model, String set) {
        return comparison.all().stream().filter(s -> s.model().equals(model) && s.prompts().equals(set)).findFirst().orElseThrow();
    }

    Estimate estimate(String model, String set, String measure) {
        return Estimate.of(of(model, set).scores().get(measure));
    }

    /// A claim for each set of prompts that the first model's measure is the greater one.
    List<Claim> greater(String statement, String model, String than, String measure) {
        return sets().stream().map(set -> Claim.greater(statement + ", " + set + " prompts", of(model, set), of(than, set), measure)).toList();
    }

    /// What was kept of a set's images: a row for each prompt, a column for each model.
    RgbImage grid(String set) {
        return comparison.grid(set);
    }

    /// At most so many rows of it.
    ///
    /// @param prompts of the set, of each of which the first image is shown
    RgbImage grid(String set, int rows, int prompts) {
        List<Scored> some = comparison.all().stream().filter(s -> s.prompts().equals(set)).map(s -> new Scored(s.model(), s.prompts(), s.scores(),
                IntStream.range(0, Math.min(rows, prompts)).mapToObj(i -> s.shown().get(i * s.shown().size() / prompts)).toList())).toList();
        return new Comparison(some).grid(set);
    }

    /// All but one model.
    Comparison without(String model) {
        return new Comparison(comparison.all().stream().filter(s -> !s.model().equals(model)).toList());
    }

    /// Dots with standard errors, a place for each model and a colour for each set.
    LineChart dots(String measure) {
        List<String> models = comparison.all().stream().map(Scored::model).distinct().toList();
        List<LineChart.Series> series = new ArrayList<>();
        for (String set : sets()) {
            List<LineChart.Point> points = new ArrayList<>();
            for (int i = 0; i < models.size(); i++) {
                Estimate e = estimate(models.get(i), set, measure);
                points.add(new LineChart.Point(i, e.mean(), e.count() > 1 ? e.standardError() : 0));
            }
            series.add(new LineChart.Series(set + " prompts", colour(series.size()), true, points));
        }
        return new LineChart("", measure, series, models);
    }
}
