package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Estimate;
import dev.retrograd.trainer.evaluate.Scored;
import dev.retrograd.trainer.image.LineChart;
import dev.retrograd.trainer.report.ResultPage;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntPredicate;
import java.util.function.ToDoubleFunction;

/// AlignProp's LoRA worn or switched off over ranges of denoising steps, and what of an image it then changes: layout or detail.
final class Figure3 implements Study {
    private static final int IMAGES = 2;
    private static final int PROMPTS = 24;
    private static final int PARTS = 3;
    private static final int SHOWN_ROWS = 6;
    private static final String EARLY = "early only";
    private static final String LATE = "late only";

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        int steps = lab.steps();
        int third = Math.max(1, steps / PARTS);
        Trained run = Rivals.alignprop(lab);
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        models.put("all steps", run.dress());
        models.put("off early", gated(run, s -> s >= third));
        models.put("off middle", gated(run, s -> s < third || s >= steps - third));
        models.put("off late", gated(run, s -> s < steps - third));
        models.put(EARLY, gated(run, s -> s < third));
        models.put(LATE, gated(run, s -> s >= steps - third));
        Lab.Extent extent = new Lab.Extent(IMAGES, 4, PROMPTS, List.of(), true);
        Comparison measured = lab.measure(models, extent);
        Findings findings = new Findings(measured);
        Table table = table(findings, lab.reward(), models.sequencedKeySet());
        String set = findings.sets().getFirst();
        List<Claim> claims = new ArrayList<>();
        for (String s : findings.sets()) {
            claims.add(new Claim("early steps change layout more than late steps do, " + s + " prompts", difference(findings, s, EARLY, LATE, Layout::layout)));
            claims.add(new Claim("what late steps change is detail more than layout, compared with early steps (detail - layout), " + s + " prompts", difference(findings, s, LATE, EARLY, Layout::detailOverLayout)));
        }
        page.text("early: the first " + third + " of " + steps + " steps, from noise on; late: the last " + third + ". The difference of an image from that of the model alone, of the same noise, is averaged over squares of an eighth of the side: "
                + "layout is its root mean square, detail that of what the averages leave; a pixel's range is 1.");
        page.table(table).heading("Against the paper").table(Claim.table(claims));
        page.chart("change.svg", "What the LoRA changes, by when it is worn", chart(findings, set, models.sequencedKeySet()));
        page.picture("images.png", "One row for each prompt, from one noise; from the left: " + String.join(", ", models.keySet()), findings.grid(set, SHOWN_ROWS, lab.prompts(set, extent).size()));
        return new Outcome(table, claims, List.of(run));
    }

    private static Dress gated(Trained run, IntPredicate steps) {
        return new Dress.Gated(run.lora(), steps);
    }

    /// Of each image of a model, from the model alone's.
    private static float[] of(Findings findings, String set, String model, ToDoubleFunction<Layout> what) {
        Scored scored = findings.of(model, set);
        Scored base = findings.of(Rivals.BASE, set);
        float[] values = new float[scored.shown().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) what.applyAsDouble(Layout.difference(scored.shown().get(i), base.shown().get(i)));
        }
        return values;
    }

    private static Estimate difference(Findings findings, String set, String more, String less, ToDoubleFunction<Layout> what) {
        return Estimate.ofDifference(of(findings, set, more, what), of(findings, set, less, what));
    }

    private static Table table(Findings findings, String reward, Iterable<String> models) {
        List<List<String>> rows = new ArrayList<>();
        for (String set : findings.sets()) {
            for (String model : models) {
                rows.add(List.of(model, set, findings.estimate(model, set, reward).toString(), Estimate.of(of(findings, set, model, Layout::layout)).toString(),
                        Estimate.of(of(findings, set, model, Layout::detail)).toString(), Estimate.of(of(findings, set, model, Layout::detailOverLayout)).toString()));
            }
        }
        return new Table(List.of("LoRA worn", "prompts", reward, "layout change", "detail change", "detail - layout"), rows);
    }

    private static LineChart chart(Findings findings, String set, java.util.SequencedSet<String> models) {
        List<String> names = List.copyOf(models);
        List<LineChart.Series> series = new ArrayList<>();
        for (boolean layout : new boolean[] {true, false}) {
            List<LineChart.Point> points = new ArrayList<>();
            for (int i = 0; i < names.size(); i++) {
                Estimate e = Estimate.of(of(findings, set, names.get(i), layout ? Layout::layout : Layout::detail));
                points.add(new LineChart.Point(i, e.mean(), e.standardError()));
            }
            series.add(new LineChart.Series(layout ? "layout" : "detail", Findings.colour(series.size()), true, points));
        }
        return new LineChart("", "change against the model alone", series, names);
    }
}
