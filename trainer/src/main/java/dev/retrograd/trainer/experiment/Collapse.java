package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.RunDirectory;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Evaluator;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// Backpropagation through all steps against a random number of the last ones: reward, and how much the images of a prompt still differ.
final class Collapse implements Study {
    private static final String FULL = "all steps";
    private static final String RANDOM = "random K";
    private static final int IMAGES = 4;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(trained(lab, RANDOM, "uniform"), trained(lab, FULL, "full"));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Comparison measured = lab.measure(models, Lab.Extent.all(IMAGES, Rivals.watched(lab)));
        Findings findings = new Findings(measured);
        List<Claim> claims = new ArrayList<>();
        if (measured.measures().contains(Evaluator.DIVERSITY)) {
            claims.addAll(findings.greater("all steps lose diversity: the model alone > all steps", Rivals.BASE, FULL, Evaluator.DIVERSITY));
            claims.addAll(findings.greater("random K keeps more diversity: random K > all steps", RANDOM, FULL, Evaluator.DIVERSITY));
        }
        claims.addAll(findings.greater("random K learns the reward: random K > the model alone", RANDOM, Rivals.BASE, lab.reward()));
        boolean higher = findings.sets().stream().anyMatch(set -> findings.estimate(FULL, set, lab.reward()).mean() > findings.estimate(RANDOM, set, lab.reward()).mean());
        page.text("Both runs have the same number of updates and of reward queries" + (higher ? "; " + FULL + " came to the higher reward in them, so that the loss of diversity is not measured at equal reward." : "."));
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        page.chart("reward.svg", "Mean reward of each update's images", curves("mean reward of an update's images: " + lab.reward(), runs, Collapse::rewards));
        if (!RunDirectory.diversityOf(runs.getFirst().folder()).isEmpty()) {
            page.chart("diversity.svg", "Diversity within a prompt over the updates", curves("diversity", runs, Collapse::diversity));
        }
        String set = findings.sets().getLast();
        page.picture("images.png", set + " prompts, one row each; from the left: " + String.join(", ", models.keySet()), findings.grid(set));
        return new Outcome(measured.numbers(), claims, runs);
    }

    private static Trained trained(Lab lab, String name, String truncation) throws IOException {
        return lab.trained(name, List.of("method=alignprop", "truncation=" + truncation));
    }

    @FunctionalInterface private interface Curve {
        List<LineChart.Point> of(Trained run) throws IOException;
    }

    private static LineChart curves(String y, List<Trained> runs, Curve curve) throws IOException {
        List<LineChart.Series> series = new ArrayList<>();
        for (Trained run : runs) {
            series.add(new LineChart.Series(run.name(), Findings.colour(series.size()), false, curve.of(run)));
        }
        return new LineChart("update", y, series);
    }

    private static List<LineChart.Point> rewards(Trained run) throws IOException {
        return run.progress().stream().map(p -> new LineChart.Point(p.update(), p.rewardMean())).toList();
    }

    private static List<LineChart.Point> diversity(Trained run) throws IOException {
        return RunDirectory.diversityOf(run.folder()).stream().map(d -> new LineChart.Point(d.update(), d.diversity())).toList();
    }
}
