package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// Images of every method on unseen prompts, from the same noise.
final class Figure5 implements Study {
    private static final int PROMPTS = 8;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(Rivals.rwr(lab), Rivals.ddpo(lab), Rivals.refl(lab), lab.trained("DRaFT", List.of("method=draft")), lab.trained("DRaFT-LV", List.of("method=draft-lv")),
                lab.trained("DRTune", List.of("method=drtune")), Rivals.alignprop(lab));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Comparison measured = lab.measure(models, new Lab.Extent(1, PROMPTS, PROMPTS, Rivals.watched(lab), false));
        Findings findings = new Findings(measured);
        String set = findings.sets().getLast();
        page.picture("grid-" + set + ".png", set + " prompts, one row each; from the left: " + String.join(", ", models.keySet()), findings.grid(set));
        List<Claim> claims = new ArrayList<>();
        for (String rival : List.of(Rivals.BASE, Rivals.RWR, Rivals.DDPO, Rivals.REFL)) {
            claims.add(Claim.greater("AlignProp > " + rival + ", " + set + " prompts", findings.of(Rivals.ALIGNPROP, set), findings.of(rival, set), lab.reward()));
        }
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        return new Outcome(measured.numbers(), claims, runs);
    }
}
