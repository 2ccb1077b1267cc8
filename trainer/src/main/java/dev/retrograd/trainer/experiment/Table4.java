package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.evaluate.Curve;
import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Two rewards of mixes of two LoRAs, over the coefficient.
final class Table4 implements Study {
    private static final int IMAGES = 4;
    private static final int PROMPTS = 24;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<String> track = new ArrayList<>(List.of(lab.secondReward()));
        track.addAll(Rivals.watched(lab));
        Mixtures mixes = Mixtures.measure(lab, new Lab.Extent(IMAGES, 4, PROMPTS, track, false));
        Findings findings = new Findings(mixes.comparison());
        List<Claim> claims = new ArrayList<>();
        for (String reward : List.of(lab.reward(), lab.secondReward())) {
            boolean mine = reward.equals(lab.reward());
            String own = mine ? mixes.ofFirst() : mixes.ofSecond();
            String other = mine ? mixes.ofSecond() : mixes.ofFirst();
            claims.addAll(findings.greater(reward + ": the LoRA trained on it > half of both", own, mixes.half(), reward));
            claims.addAll(findings.greater(reward + ": half of both > the LoRA trained on the other", mixes.half(), other, reward));
        }
        page.text("mix C is (1 - C) times the LoRA trained on " + lab.reward() + " plus C times the one trained on " + lab.secondReward() + ", the exact sum of the updates.");
        page.table(mixes.comparison().table()).heading("Against the paper").table(Claim.table(claims));
        Curve curve = new Curve(List.copyOf(mixes.coefficients().values()), findings.without(Rivals.BASE));
        page.chart("first-reward.svg", lab.reward() + " over the coefficient", curve.chart(lab.reward()));
        page.chart("second-reward.svg", lab.secondReward() + " over the coefficient", curve.chart(lab.secondReward()));
        return new Outcome(mixes.comparison().numbers(), claims, List.of(mixes.first(), mixes.second()));
    }
}
