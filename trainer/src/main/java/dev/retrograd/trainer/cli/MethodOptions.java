package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.method.AlignPropSettings;
import dev.retrograd.trainer.method.DrTuneSettings;
import dev.retrograd.trainer.method.DraftLvSettings;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.ReflSettings;
import dev.retrograd.unet.diffusion.Truncation;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// How the reward becomes a gradient. Options of a method that is not chosen are not read.
final class MethodOptions {
    @Option(names = "--method", paramLabel = "METHOD", defaultValue = "alignprop", description = "How the reward becomes a gradient: alignprop, draft (last steps), draft-lv (last step, renoised), "
            + "drtune (spaced steps, UNet input cut off), refl (one random late step); default: ${DEFAULT-VALUE}.")
    private MethodChoice method;

    @ArgGroup(validate = false, heading = "%nOnly with --method alignprop:%n", order = 100)
    private AlignPropGroup alignprop = new AlignPropGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method draft and draft-lv:%n", order = 101)
    private DraftGroup draft = new DraftGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method drtune:%n", order = 102)
    private DrTuneGroup drtune = new DrTuneGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method refl, where other defaults are eta 1, guidance 1, learning-rate 1e-5, steps 40:%n", order = 103)
    private ReflGroup refl = new ReflGroup();

    private static final class AlignPropGroup {
        @Option(names = "--truncation", paramLabel = "STRATEGY", defaultValue = "uniform",
                description = "Denoising steps that are differentiated, drawn once per update: uniform (0 to all of the last steps), uniform(MIN,MAX), gaussian(MEAN,STD) (first one), bernoulli, fixed(K), full; default: ${DEFAULT-VALUE}.")
        private String truncation;
    }

    private static final class DraftGroup {
        @Option(names = "--draft-steps", paramLabel = "K", defaultValue = "1", description = "Last steps that draft differentiates; default: ${DEFAULT-VALUE}.")
        private int steps;

        @Option(names = "--draft-renoisings", paramLabel = "N", defaultValue = "2", description = "Times that draft-lv noises the image again for its last step; default: ${DEFAULT-VALUE}.")
        private int renoisings;
    }

    private static final class DrTuneGroup {
        @Option(names = "--drtune-steps", paramLabel = "K", defaultValue = "5", description = "Differentiated steps, equally spaced; default: ${DEFAULT-VALUE}.")
        private int steps;
    }

    private static final class ReflGroup {
        @Option(names = "--refl-margin", paramLabel = "R", defaultValue = "2", description = "Rewards beyond it are not raised further: give one that the reward seldom reaches; default: ${DEFAULT-VALUE}.")
        private double margin;

        @Option(names = "--refl-scale", paramLabel = "S", defaultValue = "1e-3", description = "Factor of the loss; default: ${DEFAULT-VALUE}.")
        private double scale;
    }

    /// @throws SettingException if the chosen method's settings cannot be
    MethodSettings settings() {
        return switch (method) {
            case ALIGNPROP -> AlignPropSettings.alignprop(SettingException.named("--truncation", () -> Truncation.parse(alignprop.truncation)));
            case DRAFT -> AlignPropSettings.draft(draft.steps);
            case DRAFT_LV -> new DraftLvSettings(draft.renoisings);
            case DRTUNE -> new DrTuneSettings(drtune.steps);
            case REFL -> new ReflSettings(refl.margin, refl.scale);
        };
    }
}
