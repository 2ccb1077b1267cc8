package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Images of the same noise across mixing coefficients.
final class Figure6 implements Study {
    private static final int PROMPTS = 24;
    private static final int SHOWN_ROWS = 6;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<String> track = new ArrayList<>(List.of(lab.secondReward()));
        track.addAll(Rivals.watched(lab));
        Lab.Extent extent = new Lab.Extent(1, SHOWN_ROWS, PROMPTS, track, true);
        Mixtures mixes = Mixtures.measure(lab, extent);
        Findings findings = new Findings(mixes.comparison());
        List<Claim> claims = claims(lab, findings, List.copyOf(mixes.coefficients().keySet()));
        for (String set : findings.sets()) {
            page.picture("grid-" + set + ".png", set + " prompts, one row for each of the first; from the left: " + Rivals.BASE + ", " + String.join(", ", mixes.coefficients().keySet()), findings.grid(set, SHOWN_ROWS, lab.prompts(set, extent).size()));
        }
        page.table(mixes.comparison().table()).heading("Against the paper").table(Claim.table(claims));
        return new Outcome(mixes.comparison().numbers(), claims, List.of(mixes.first(), mixes.second()));
    }

    /// That each reward goes its way from each coefficient to the next, on training prompts.
    private static List<Claim> claims(Lab lab, Findings findings, List<String> mixes) {
        String set = findings.sets().getFirst();
        List<Claim> claims = new ArrayList<>();
        for (String reward : List.of(lab.reward(), lab.secondReward())) {
            for (int i = 1; i < mixes.size(); i++) {
                String greater = mixes.get(reward.equals(lab.reward()) ? i - 1 : i);
                String less = mixes.get(reward.equals(lab.reward()) ? i : i - 1);
                claims.add(Claim.greater(reward + ": " + greater + " > " + less + ", " + set + " prompts", findings.of(greater, set), findings.of(less, set), reward));
            }
        }
        return claims;
    }
}
