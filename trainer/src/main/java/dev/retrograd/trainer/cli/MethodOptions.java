package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.method.AlignPropSettings;
import dev.retrograd.trainer.method.DdpoSettings;
import dev.retrograd.trainer.method.DoodlSettings;
import dev.retrograd.trainer.method.DrTuneSettings;
import dev.retrograd.trainer.method.DraftLvSettings;
import dev.retrograd.trainer.method.MethodSettings;
import dev.retrograd.trainer.method.ReflSettings;
import dev.retrograd.trainer.method.RwrSettings;
import dev.retrograd.unet.diffusion.Truncation;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// How the reward becomes a gradient. Options of a method that is not chosen are not read.
final class MethodOptions {
    @Option(names = "--method", paramLabel = "METHOD", defaultValue = "alignprop", description = "How the reward becomes a gradient: alignprop, draft (last steps), draft-lv (last step, renoised), "
            + "drtune (spaced steps, UNet input cut off), refl (one random late step), ddpo (policy gradient by PPO), rwr (weighted regression), doodl (no weights: the initial noise of the sample grid's images); ddpo and rwr take any reward; default: ${DEFAULT-VALUE}.")
    private MethodChoice method;

    @ArgGroup(validate = false, heading = "%nOnly with --method alignprop:%n", order = 100)
    private AlignPropGroup alignprop = new AlignPropGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method draft and draft-lv:%n", order = 101)
    private DraftGroup draft = new DraftGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method drtune:%n", order = 102)
    private DrTuneGroup drtune = new DrTuneGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method refl, where other defaults are eta 1, guidance 1, learning-rate 1e-5, steps 40:%n", order = 103)
    private ReflGroup refl = new ReflGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method ddpo, where other defaults are eta 1, guidance 5, learning-rate 3e-4:%n", order = 104)
    private DdpoGroup ddpo = new DdpoGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method rwr, where other defaults are learning-rate 1e-5:%n", order = 105)
    private RwrGroup rwr = new RwrGroup();

    @ArgGroup(validate = false, heading = "%nOnly with --method doodl, where other defaults are learning-rate 1, max-grad-norm 0, sampler edict, updates 50:%n", order = 106)
    private DoodlGroup doodl = new DoodlGroup();

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

    private static final class DdpoGroup {
        @Option(names = "--ddpo-clip-range", paramLabel = "C", defaultValue = "1e-4", description = "PPO keeps ratios of probabilities within 1 ± this; default: ${DEFAULT-VALUE}.")
        private double clipRange;

        @Option(names = "--ddpo-advantage-clip", paramLabel = "A", defaultValue = "5", description = "Advantages are cut to ± this; default: ${DEFAULT-VALUE}.")
        private double advantageClip;

        @Option(names = "--ddpo-buffer", paramLabel = "N", defaultValue = "32", description = "Latest rewards of each prompt that its mean and deviation come from; default: ${DEFAULT-VALUE}.")
        private int buffer;

        @Option(names = "--ddpo-min-count", paramLabel = "N", defaultValue = "16", description = "With fewer rewards a prompt is compared with all images of the epoch; default: ${DEFAULT-VALUE}.")
        private int minimum;

        @Option(names = "--ddpo-updates-per-epoch", paramLabel = "N", defaultValue = "2", description = "An epoch samples so many batches, and makes an update with each; default: ${DEFAULT-VALUE}.")
        private int updates;

        @Option(names = "--ddpo-inner-epochs", paramLabel = "N", defaultValue = "1", description = "Times that an epoch's images are trained on; default: ${DEFAULT-VALUE}.")
        private int innerEpochs;

        @Option(names = "--ddpo-timestep-fraction", paramLabel = "F", defaultValue = "1", description = "Share of the denoising steps that an update trains; default: ${DEFAULT-VALUE}.")
        private double timestepFraction;
    }

    private static final class DoodlGroup {
        @Option(names = "--doodl-momentum", paramLabel = "M", defaultValue = "0.9", description = "Share of the last step that each step repeats; default: ${DEFAULT-VALUE}.")
        private double momentum;

        @Option(names = "--doodl-clip", paramLabel = "C", defaultValue = "1e-3", description = "Elements of the gradient, times the learning rate, are cut to ± this; default: ${DEFAULT-VALUE}.")
        private double clip;

        @Option(names = "--doodl-noise", paramLabel = "S", defaultValue = "1e-4", description = "Deviation of fresh noise that each step adds; default: ${DEFAULT-VALUE}.")
        private double noise;
    }

    private static final class RwrGroup {
        @Option(names = "--rwr-samples", paramLabel = "N", defaultValue = "10240", description = "Images that a round samples; default: ${DEFAULT-VALUE}.")
        private int samples;

        @Option(names = "--rwr-epochs", paramLabel = "N", defaultValue = "5", description = "Times that a round's images are trained on; default: ${DEFAULT-VALUE}.")
        private int epochs;

        @Option(names = "--rwr-temperature", paramLabel = "T", defaultValue = "0.2", description = "Weights are the softmax of this times the reward; default: ${DEFAULT-VALUE}.")
        private double temperature;
    }

    /// @throws SettingException if the chosen method's settings cannot be
    MethodSettings settings() {
        return switch (method) {
            case ALIGNPROP -> AlignPropSettings.alignprop(SettingException.named("--truncation", () -> Truncation.parse(alignprop.truncation)));
            case DRAFT -> AlignPropSettings.draft(draft.steps);
            case DRAFT_LV -> new DraftLvSettings(draft.renoisings);
            case DRTUNE -> new DrTuneSettings(drtune.steps);
            case DDPO -> new DdpoSettings(ddpo.clipRange, ddpo.advantageClip, ddpo.buffer, ddpo.minimum, ddpo.updates, ddpo.innerEpochs, ddpo.timestepFraction);
            case RWR -> new RwrSettings(rwr.samples, rwr.epochs, rwr.temperature);
            case DOODL -> DoodlSettings.of(doodl.momentum, doodl.clip, doodl.noise);
            case REFL -> new ReflSettings(refl.margin, refl.scale);
        };
    }
}
