package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Images of the same noise across mixing coefficients.
final class Figure6 implements Study {
    private static final int PROMPTS = 6;

    @Override public Outcome run(Lab lab, ResultPage page) throws IOException {
        List<String> track = new ArrayList<>(List.of(lab.secondReward()));
        track.addAll(Rivals.watched(lab));
        Mixtures mixes = Mixtures.measure(lab, new Lab.Extent(1, PROMPTS, PROMPTS, track, false));
        Findings findings = new Findings(mixes.comparison());
        List<Claim> claims = List.of(steps(lab.reward() + " falls from each coefficient to the next", findings, mixes, lab.reward(), -1),
                steps(lab.secondReward() + " rises from each coefficient to the next", findings, mixes, lab.secondReward(), 1));
        for (String set : findings.sets()) {
            page.picture("grid-" + set + ".png", set + " prompts, one row each; from the left: " + Rivals.BASE + ", " + String.join(", ", mixes.coefficients().keySet()), findings.grid(set));
        }
        page.table(mixes.comparison().table()).heading("Against the paper").table(Claim.table(claims));
        return new Outcome(mixes.comparison().numbers(), claims, List.of(mixes.first(), mixes.second()));
    }

    /// That a measure's mean over the first set goes one way all along: the least of its steps.
    private static Claim steps(String statement, Findings findings, Mixtures mixes, String measure, int sign) {
        List<String> names = List.copyOf(mixes.coefficients().keySet());
        String set = findings.sets().getFirst();
        double least = Double.POSITIVE_INFINITY;
        for (int i = 1; i < names.size(); i++) {
            least = Math.min(least, sign * (findings.estimate(names.get(i), set, measure).mean() - findings.estimate(names.get(i - 1), set, measure).mean()));
        }
        return Claim.positive(statement + " (least step), " + set + " prompts", least);
    }
}
