package dev.retrograd.trainer.experiment;

import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.trainer.evaluate.Comparison;
import dev.retrograd.trainer.evaluate.Scored;
import dev.retrograd.trainer.image.RgbImage;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// A page on which people compare AlignProp with the model alone, ReFL and DDPO, and what the miniature's judge says of the same images.
final class Table2 implements Study {
    private static final int IMAGES = 2;
    private static final int PROMPTS = 10;
    private static final String PAGE = "vote.html";

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<Trained> runs = List.of(Rivals.refl(lab), Rivals.ddpo(lab), Rivals.alignprop(lab));
        SequencedMap<String, Dress> models = new LinkedHashMap<>();
        models.put(Rivals.BASE, new Dress.Base());
        runs.forEach(r -> models.put(r.name(), r.dress()));
        Lab.Extent extent = new Lab.Extent(IMAGES, 3, PROMPTS, Rivals.watched(lab), true);
        Comparison measured = lab.measure(models, extent);
        Findings findings = new Findings(measured);
        String set = findings.sets().getLast();
        List<BlindPage.Pair> pairs = new ArrayList<>();
        List<Claim> claims = new ArrayList<>();
        List<String> prompts = lab.prompts(set, extent);
        for (String rival : List.of(Rivals.BASE, Rivals.REFL, Rivals.DDPO)) {
            Scored ours = findings.of(Rivals.ALIGNPROP, set);
            Scored theirs = findings.of(rival, set);
            for (int i = 0; i < prompts.size(); i++) {
                pairs.add(new BlindPage.Pair("pair " + pairs.size(), prompts.get(i), Rivals.ALIGNPROP, both(ours, i, prompts.size()), rival, both(theirs, i, prompts.size())));
            }
            claims.add(Claim.greater("fidelity (reward): AlignProp > " + rival + ", " + set + " prompts", ours, theirs, lab.reward()));
            if (measured.measures().contains(Rivals.JUDGE)) {
                claims.add(Claim.greater("alignment (judge): AlignProp > " + rival + ", " + set + " prompts", ours, theirs, Rivals.JUDGE));
            }
        }
        AtomicFile.writeString(lab.folder().resolve(PAGE), new BlindPage(pairs, lab.seed()).html());
        page.link(PAGE, "The page for people to vote on: " + pairs.size() + " pairs, two images of each model, sides and order drawn from seed " + lab.seed());
        page.text("Votes that it saves are counted by: retrograd experiment tally VOTES... No person has voted for this page. What follows is measured: the reward, which was trained, and the judge, which nothing was trained on (share of images that show shape and colour of the caption's first object).");
        page.table(measured.table()).heading("Against the paper").table(Claim.table(claims));
        if (measured.measures().contains(Rivals.JUDGE)) {
            page.chart("judge.svg", "The judge's accuracy for each model", findings.dots(Rivals.JUDGE));
        }
        return new Outcome(measured.numbers(), claims, runs);
    }

    /// Two images of a prompt, or the one that there is.
    private static List<RgbImage> both(Scored scored, int prompt, int prompts) {
        int each = scored.shown().size() / prompts;
        return scored.shown().subList(prompt * each, prompt * each + Math.min(each, IMAGES));
    }
}
