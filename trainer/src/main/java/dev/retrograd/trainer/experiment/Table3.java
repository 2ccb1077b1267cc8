package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.ToDoubleBiFunction;

/// What each choice of the method is worth: fixed numbers of differentiated steps, EDICT, full weights instead of a LoRA, ancestral sampling instead of DDIM.
final class Table3 implements Study {
    private static final int IMAGES = 4;
    private static final int PROMPTS = 24;
    private static final int FEW = 10;
    /// The paper's chains.
    private static final int PAPER_STEPS = 50;
    /// A step of the optimiser moves every weight by about the learning rate: whole weights take one that a LoRA's factors would not.
    private static final String FULL_RATE = "learning-rate=1e-4";

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        int steps = lab.steps();
        List<Trained> runs = new ArrayList<>();
        runs.add(Rivals.alignprop(lab));
        runs.add(variant(lab, "K=1", "truncation=fixed(1)"));
        int proportional = Math.max(1, FEW * steps / PAPER_STEPS);
        if (proportional != FEW && proportional > 1) {
            runs.add(variant(lab, "K=" + proportional, "truncation=fixed(" + proportional + ")"));
        }
        runs.add(variant(lab, "K=" + Math.min(FEW, steps), "truncation=fixed(" + Math.min(FEW, steps) + ")"));
        runs.add(variant(lab, "EDICT", "sampler=edict"));
        runs.add(lab.embedded() ? variant(lab, "no LoRA", "trainable=full", FULL_RATE) : variant(lab, "no LoRA", "trainable=full"));
        runs.add(variant(lab, "no DDIM", "sampler=ancestral"));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Comparison measured = lab.measure(models, new Lab.Extent(IMAGES, 4, PROMPTS, Rivals.watched(lab), false));
        Findings findings = new Findings(measured);
        List<Claim> claims = new ArrayList<>();
        for (Trained run : runs.subList(1, runs.size())) {
            claims.addAll(findings.greater("uniform K, LoRA and DDIM > " + run.name(), Rivals.ALIGNPROP, run.name(), lab.reward()));
        }
        page.text("Chains have " + steps + " steps here, the paper's " + PAPER_STEPS + ": its K=" + FEW + " is a share of the chain that is K=" + proportional + " here. All are measured on the same DDIM chain and noise, whatever sampled in training. "
                + "AlignProp is K ~ U(0," + steps + ").");
        if (measured.measures().contains(Rivals.JUDGE)) {
            page.text(atWhatPrice(lab, findings, runs.subList(1, runs.size())));
        }
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        page.chart("reward.svg", "The reward of each variant", findings.dots(lab.reward()));
        return new Outcome(measured.numbers(), claims, runs);
    }

    /// Whether variants that raise the reward further keep to the captions.
    private static String atWhatPrice(Lab lab, Findings findings, List<Trained> variants) {
        String set = findings.sets().getFirst();
        ToDoubleBiFunction<String, String> mean = (model, measure) -> findings.estimate(model, set, measure).mean();
        List<String> higher = variants.stream().map(Trained::name).filter(v -> mean.applyAsDouble(v, lab.reward()) > mean.applyAsDouble(Rivals.ALIGNPROP, lab.reward())).toList();
        List<String> worse = higher.stream().filter(v -> mean.applyAsDouble(v, Rivals.JUDGE) < mean.applyAsDouble(Rivals.ALIGNPROP, Rivals.JUDGE)).toList();
        String raised = higher.isEmpty() ? "No variant raises the trained reward further than AlignProp on " + set + " prompts"
                : "The trained reward is raised further than by AlignProp, on " + set + " prompts, by " + String.join(", ", higher) + "; of these, " + (worse.isEmpty() ? "none shows" : String.join(", ", worse) + " show")
                        + " what captions say less often (judge, on which nothing was trained)";
        return raised + ". All runs have the same number of updates; K, sampler and trained weights are all that differs, and the learning rate of full weights.";
    }

    private static Trained variant(Lab lab, String name, String... settings) throws IOException {
        List<String> all = new ArrayList<>(List.of("method=alignprop"));
        all.addAll(List.of(settings));
        return lab.trained(name, all);
    }
}
