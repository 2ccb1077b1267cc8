package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.report.ResultPage;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// The experiments that there are.
public enum ExperimentKind {
    TABLE1("rewards of the model alone, RWR, DDPO and AlignProp on training and unseen prompts",
            "Aesthetic reward on animals, training prompts / unseen ones: Stable Diffusion 5.73 / 5.64, RWR 6.21 / 6.04, DDPO 7.18 / 6.82, AlignProp 8.94 / 8.71; the same order for human preference (2.74, 2.81, 2.87, 3.30).", new Table1()),
    TABLE2("a page for blind paired comparison by people: AlignProp against the model alone, ReFL and DDPO",
            "People prefer AlignProp's images, for fidelity and for alignment with the text, over those of the base model, ReFL and DDPO.", new Table2()),
    TABLE3("what each choice of the method is worth: K=1, K=10, EDICT, no LoRA, no DDIM",
            "Human preference (HPS v2): AlignProp 3.30; with K=1 2.91, K=10 3.14, EDICT 2.95, without LoRA 3.09, without DDIM 2.97.", new Table3()),
    TABLE4("two rewards of mixes of two LoRAs at several coefficients",
            "Averaging a LoRA trained on aesthetics with one trained on compressibility interpolates both rewards: at one half of each, either reward lies between those of the two LoRAs.", new Table4()),
    FIGURE3("the LoRA switched off over ranges of denoising steps: what changes layout and what changes detail",
            "Early denoising steps change an image's layout, late ones its fine details.", new Figure3()),
    FIGURE4("reward against reward queries and against training time, AlignProp and DDPO",
            "AlignProp reaches a given reward with far fewer reward queries and in far less time than DDPO: an HPS of 2.8 in 48 minutes against about 23 hours.", new Figure4()),
    FIGURE5("images of every method on unseen prompts, from the same noise",
            "AlignProp's images are preferred over those of the base model, RWR, DDPO and ReFL on prompts that training never saw.", new Figure5()),
    FIGURE6("images across mixing coefficients",
            "Images change gradually from one reward's style to the other's as the mixing coefficient changes.", new Figure6()),
    COLLAPSE("backpropagation through all steps against a random number of the last ones: reward and diversity",
            "Backpropagating through all denoising steps collapses the model: images lose their diversity while the reward goes on rising. A random number of steps, drawn for each update, avoids this.", new Collapse());

    private final String description;
    private final String paper;
    private final Study study;

    ExperimentKind(String description, String paper, Study study) {
        this.description = description;
        this.paper = paper;
        this.study = study;
    }

    /// What the command line calls it.
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    public String description() {
        return description;
    }

    public static Optional<ExperimentKind> named(String id) {
        return Arrays.stream(values()).filter(k -> k.id().equals(id.toLowerCase(Locale.ROOT))).findFirst();
    }

    /// Trains and measures, and puts the results onto a page.
    ///
    /// @param about sentences on how the results came about
    /// @throws IOException if a run or a measurement fails
    public Result run(Lab lab, List<String> about) throws IOException {
        ResultPage page = new ResultPage(id() + ": " + description);
        about.forEach(page::text);
        page.heading("What the paper says").text(paper + " Source: arXiv 2310.03739.").heading("Measured");
        Study.Outcome outcome = study.run(lab, page);
        String summary = summary(outcome.claims());
        page.text(summary);
        if (!outcome.runs().isEmpty()) {
            page.heading("Runs").table(Trained.costs(outcome.runs()));
        }
        return new Result(page, outcome.numbers(), Claim.table(outcome.claims()), summary);
    }

    /// How many of the claims hold, in words that come from the numbers.
    private static String summary(List<Claim> claims) {
        long holds = claims.stream().filter(c -> c.verdict() == Claim.Verdict.HOLDS).count();
        long fails = claims.stream().filter(c -> c.verdict() == Claim.Verdict.FAILS).count();
        long unclear = claims.size() - holds - fails;
        return "Of " + claims.size() + " orderings of the paper's, " + holds + " hold in these numbers, " + unclear + " cannot be told from no difference (within 1.96 standard errors), " + fails + " do not hold.";
    }

    /// An experiment's results.
    ///
    /// @param numbers every one
    /// @param claims the paper's, against them
    /// @param summary of the claims, in a sentence
    public record Result(ResultPage page, dev.retrograd.trainer.report.Table numbers, dev.retrograd.trainer.report.Table claims, String summary) {
    }
}
