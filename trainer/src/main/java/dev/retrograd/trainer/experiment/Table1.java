package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// Rewards of the model alone, RWR, DDPO and AlignProp on prompts of training and unseen ones.
final class Table1 implements Study {
    private static final int IMAGES = 4;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(Rivals.rwr(lab), Rivals.ddpo(lab), Rivals.alignprop(lab));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Comparison measured = lab.measure(models, Lab.Extent.all(IMAGES, Rivals.watched(lab)));
        Findings findings = new Findings(measured);
        List<Claim> claims = new ArrayList<>();
        claims.addAll(findings.greater("RWR > the model alone", Rivals.RWR, Rivals.BASE, lab.reward()));
        claims.addAll(findings.greater("DDPO > RWR", Rivals.DDPO, Rivals.RWR, lab.reward()));
        claims.addAll(findings.greater("AlignProp > DDPO", Rivals.ALIGNPROP, Rivals.DDPO, lab.reward()));
        page.text(Rivals.howSampled(runs.get(1)));
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        page.chart("reward.svg", "The reward of each model", findings.dots(lab.reward()));
        return new Outcome(measured.numbers(), claims, runs);
    }
}
