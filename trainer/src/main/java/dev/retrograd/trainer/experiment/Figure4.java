package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Estimate;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.report.ResultPage;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;

/// Reward against the images that were scored, and against the time that training took, for AlignProp and DDPO: of the LoRAs along both runs.
final class Figure4 implements Study {
    private static final int IMAGES = 1;
    private static final int PROMPTS = 24;
    /// LoRAs along a run that are measured.
    private static final int POINTS = 6;

    /// A measured LoRA along a run.
    private record Measured(String method, String model, Trained.Point at) {
    }

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(Rivals.alignprop(lab), Rivals.ddpo(lab));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        List<Measured> all = new ArrayList<>();
        for (Trained run : runs) {
            for (Trained.Point point : some(run.points())) {
                Measured m = new Measured(run.name(), run.name() + " after " + point.update(), point);
                all.add(m);
                models.put(m.model, new Dress.Lora(point.lora()));
            }
        }
        Comparison measured = lab.measure(models, new Lab.Extent(IMAGES, 4, PROMPTS, List.of(), false));
        Findings findings = new Findings(measured);
        String set = findings.sets().getFirst();
        Table table = table(findings, lab.reward(), all);
        List<Claim> claims = claims(findings, set, lab.reward(), all);
        page.text(Rivals.howSampled(runs.getLast()));
        page.table(table).heading("Against the paper").table(Claim.table(claims));
        page.text("Seconds are those of training on the machine of this run, which may have had other work; reward queries count every image that was scored. Reward queries saved and seconds saved compare what AlignProp took to pass the best reward that DDPO reached with what DDPO took to reach it.");
        page.chart("queries.svg", "Reward against reward queries", chart("reward queries", findings, set, lab.reward(), all, m -> m.at.queries()));
        page.chart("seconds.svg", "Reward against seconds of training", chart("seconds of training", findings, set, lab.reward(), all, m -> m.at.seconds()));
        return new Outcome(table, claims, runs);
    }

    /// Evenly spread, the last one included.
    private static List<Trained.Point> some(List<Trained.Point> points) {
        int count = Math.min(POINTS, points.size());
        List<Trained.Point> some = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            some.add(points.get(i * points.size() / count - 1));
        }
        return some;
    }

    private static Table table(Findings findings, String reward, List<Measured> all) {
        List<List<String>> rows = new ArrayList<>();
        for (String set : findings.sets()) {
            rows.add(row(Rivals.BASE, set, 0, 0, 0, findings.estimate(Rivals.BASE, set, reward)));
            all.forEach(m -> rows.add(row(m.method, set, m.at.update(), m.at.queries(), m.at.seconds(), findings.estimate(m.model, set, reward))));
        }
        return new Table(List.of("method", "prompts", "updates", "reward queries", "seconds", reward, "standard error"), rows);
    }

    private static List<String> row(String method, String set, int update, long queries, double seconds, Estimate e) {
        return List.of(method, set, Integer.toString(update), Long.toString(queries), Table.number(seconds), Table.number(e.mean()), Table.number(e.standardError()));
    }

    private static List<Claim> claims(Findings findings, String set, String reward, List<Measured> all) {
        List<Measured> ours = all.stream().filter(m -> m.method.equals(Rivals.ALIGNPROP)).toList();
        List<Measured> theirs = all.stream().filter(m -> m.method.equals(Rivals.DDPO)).toList();
        ToDoubleFunction<Measured> mean = m -> findings.estimate(m.model, set, reward).mean();
        Measured best = theirs.stream().reduce((a, b) -> mean.applyAsDouble(b) > mean.applyAsDouble(a) ? b : a).orElseThrow();
        List<Claim> claims = new ArrayList<>();
        claims.add(Claim.greater("AlignProp's last reward > DDPO's best, " + set + " prompts", findings.of(ours.getLast().model, set), findings.of(best.model, set), reward));
        ours.stream().filter(m -> mean.applyAsDouble(m) >= mean.applyAsDouble(best)).findFirst().ifPresent(m -> {
            claims.add(Claim.positive("AlignProp takes fewer reward queries to DDPO's best reward (queries saved)", best.at.queries() - m.at.queries()));
            claims.add(Claim.positive("AlignProp takes less time to DDPO's best reward (seconds saved)", best.at.seconds() - m.at.seconds()));
        });
        return claims;
    }

    private static LineChart chart(String x, Findings findings, String set, String reward, List<Measured> all, ToDoubleFunction<Measured> across) {
        List<LineChart.Series> series = new ArrayList<>();
        for (String method : List.of(Rivals.ALIGNPROP, Rivals.DDPO)) {
            List<LineChart.Point> points = new ArrayList<>();
            points.add(point(0, findings.estimate(Rivals.BASE, set, reward)));
            all.stream().filter(m -> m.method.equals(method)).forEach(m -> points.add(point(across.applyAsDouble(m), findings.estimate(m.model, set, reward))));
            series.add(new LineChart.Series(method, Findings.colour(series.size()), true, points));
        }
        return new LineChart(x, reward + ", " + set + " prompts", series);
    }

    private static LineChart.Point point(double x, Estimate e) {
        return new LineChart.Point(x, e.mean(), e.count() > 1 ? e.standardError() : 0);
    }
}
