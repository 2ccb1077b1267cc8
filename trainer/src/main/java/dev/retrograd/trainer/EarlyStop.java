package dev.retrograd.trainer;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/// Whether a run should end before its last update, and why. A function of what the run has written down, so that a resumed run decides alike.
final class EarlyStop {
    private final Regularisers how;

    /// @param heldOut whether there are held-out prompts
    /// @param clip whether diversity can be measured
    /// @throws SettingException if there is no reward on held-out prompts, or no diversity, to stop by
    EarlyStop(Regularisers how, boolean heldOut, boolean clip) {
        if (how.patience() > 0 && !heldOut) {
            throw new SettingException("--stop-patience: needs prompts that are never trained on, which --eval-prompts gives");
        }
        if (how.diversityFloor().isPresent() && !clip) {
            throw new SettingException("--diversity-floor: needs a CLIP to measure diversity with, which --clip gives");
        }
        this.how = how;
    }

    /// The reason to stop, if there is one.
    ///
    /// @param evaluations all so far, in order
    /// @param diversity the latest; empty if none was measured
    Optional<String> reason(List<RunDirectory.Evaluated> evaluations, OptionalDouble diversity) {
        if (how.diversityFloor().isPresent() && diversity.isPresent() && !(diversity.getAsDouble() >= how.diversityFloor().getAsDouble())) {
            return Optional.of(String.format(Locale.ROOT, "diversity %.4f is below --diversity-floor %s", diversity.getAsDouble(), how.diversityFloor().getAsDouble()));
        }
        double[] heldOut = evaluations.stream().filter(e -> e.prompts() == RunDirectory.PromptKind.HELD_OUT).mapToDouble(RunDirectory.Evaluated::rewardMean).toArray();
        int best = 0;
        for (int i = 1; i < heldOut.length; i++) {
            if (heldOut[i] > heldOut[best]) {
                best = i;
            }
        }
        int since = heldOut.length - 1 - best;
        return how.patience() > 0 && since >= how.patience()
                ? Optional.of(String.format(Locale.ROOT, "the reward on held-out prompts, %.4f at its best, has not risen over %d sample grids", heldOut[best], since)) : Optional.empty();
    }
}
