package dev.retrograd.trainer.experiment;

import dev.retrograd.trainer.report.ResultPage;
import dev.retrograd.trainer.report.Table;
import java.io.IOException;
import java.util.List;

/// One experiment: trains and measures, and puts what it found on a page.
@FunctionalInterface interface Study {

    /// What an experiment came to.
    ///
    /// @param numbers every one, for `results.csv`
    /// @param claims the paper's, against these numbers
    /// @param runs that were trained for it
    record Outcome(Table numbers, List<Claim> claims, List<Trained> runs) {
        public Outcome {
            claims = List.copyOf(claims);
            runs = List.copyOf(runs);
        }
    }

    Outcome run(Lab lab, ResultPage page) throws IOException;
}
