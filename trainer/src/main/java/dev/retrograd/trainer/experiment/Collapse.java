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
    private static final int IMAGES = 6;
    private static final int PROMPTS = 16;
    /// Longer than the runs of other experiments: a collapse takes its time.
    private static final List<String> LENGTH = List.of("updates=50", "diversity-prompts=8");
    /// They leave place, size, texture and background open, which the miniature's usual captions say: what is left to differ within a prompt is little there.
    private static final List<String> OPEN = List.of("a red circle", "a blue square", "a green triangle", "a yellow star", "a cyan ring", "a purple cross", "a red heart", "a pink diamond");

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(trained(lab, RANDOM, "uniform"), trained(lab, FULL, "full"));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Comparison measured = lab.measure(models, new Lab.Extent(IMAGES, 4, PROMPTS, Rivals.watched(lab), false, prompts(lab)));
        Findings findings = new Findings(measured);
        List<Claim> claims = new ArrayList<>();
        if (measured.measures().contains(Evaluator.DIVERSITY)) {
            claims.addAll(findings.greater("all steps lose diversity: the model alone > all steps", Rivals.BASE, FULL, Evaluator.DIVERSITY));
            claims.addAll(findings.greater("random K keeps more diversity: random K > all steps", RANDOM, FULL, Evaluator.DIVERSITY));
        }
        claims.addAll(findings.greater("random K learns the reward: random K > the model alone", RANDOM, Rivals.BASE, lab.reward()));
        if (lab.embedded()) {
            page.text("Prompts name a shape and its colour alone, so that place, size, texture and background may differ within a prompt: " + String.join(", ", OPEN) + ".");
        }
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        page.chart("reward.svg", "Mean reward of each update's images", curves("mean reward of an update's images: " + lab.reward(), runs, Collapse::rewards));
        if (!RunDirectory.diversityOf(runs.getFirst().folder()).isEmpty()) {
            page.chart("diversity.svg", "Diversity within a prompt over the updates", curves("diversity", runs, Collapse::diversity));
        }
        page.picture("images.png", "One row for each prompt; from the left: " + String.join(", ", models.keySet()), findings.grid(findings.sets().getLast()));
        return new Outcome(measured.numbers(), claims, runs);
    }

    private static Trained trained(Lab lab, String name, String truncation) throws IOException {
        List<String> settings = new ArrayList<>(List.of("method=alignprop", "truncation=" + truncation));
        prompts(lab).forEach(p -> settings.add("prompt=" + p));
        if (!lab.quick()) {
            settings.addAll(LENGTH);
        }
        return lab.trained(name, settings);
    }

    private static List<String> prompts(Lab lab) {
        return lab.embedded() ? OPEN : List.of();
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
