package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Resampling;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.clip.AestheticScore;
import dev.retrograd.rewards.clip.ClipPreprocessing;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.rewards.clip.HumanPreferenceScore;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.method.RewardLoss;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Option;

/// What is raised.
final class RewardOptions {
    @Option(names = "--reward", paramLabel = "REWARD", defaultValue = "compressibility",
            description = "compressibility (minus the KB of a JPEG file), incompressibility, aesthetic (LAION's predictor), hps (human preference of image and prompt, version 2), clip (similarity of image and prompt), or fitted (a head that fit-reward made); default: ${DEFAULT-VALUE}.")
    private Kind reward;

    @Option(names = "--reward-model", paramLabel = "DIR", description = "The reward's model: for clip and fitted CLIP as a transformers folder; for aesthetic the same with sac+logos+ava1-l14-linearMSE.pth in it; "
            + "for hps HPS_v2_compressed.pt or a folder with it.")
    private Path rewardModel;

    @Option(names = "--reward-antialias", description = "Widen the filter when images shrink for --reward aesthetic and hps, as newer versions of torchvision do; default: not, as in the paper.")
    private boolean rewardAntialias;

    @Option(names = "--reward-head", paramLabel = "FILE", description = "Head on the features of --reward-model, for --reward fitted.")
    private Path rewardHead;

    @Option(names = "--jpeg-quality", paramLabel = "Q", defaultValue = "95", description = "Quality of the JPEG whose size is meant, 1..100; default: ${DEFAULT-VALUE}.")
    private int jpegQuality;

    @Option(names = "--target", paramLabel = "R", description = "Minimise |R - reward| instead of raising the reward without end.")
    private Double target;

    enum Kind { COMPRESSIBILITY, INCOMPRESSIBILITY, AESTHETIC, HPS, CLIP, FITTED }

    /// The reward, on a backend; its constants and weights live in the scope that is open now or until it is closed.
    ///
    /// @throws IOException if its model is missing, damaged or not supported
    DifferentiableReward load(Backend backend) throws IOException {
        JpegSettings jpeg = SettingException.named("--jpeg-quality", () -> new JpegSettings(jpegQuality, JpegSettings.Chroma.HALF));
        return switch (reward) {
            case COMPRESSIBILITY -> new JpegCompressibility(backend, FileSizeGoal.SMALLER, jpeg);
            case INCOMPRESSIBILITY -> new JpegCompressibility(backend, FileSizeGoal.LARGER, jpeg);
            case AESTHETIC -> AestheticScore.load(backend, model("a folder with CLIP in transformers' layout and LAION's head"), resampling());
            case HPS -> HumanPreferenceScore.load(backend, model("HPS_v2_compressed.pt or a folder with it"), Optional.of(tokenizer()), resampling());
            case CLIP -> ClipSimilarity.load(backend, clip());
            case FITTED -> {
                if (rewardHead == null) {
                    throw new SettingException("--reward fitted: needs --reward-head, a file that fit-reward wrote");
                }
                yield FittedReward.load(backend, clip(), rewardHead);
            }
        };
    }

    private Path clip() {
        return model("a folder with CLIP in transformers' layout");
    }

    private Path model(String what) {
        if (rewardModel == null) {
            throw new SettingException("--reward " + reward.name().toLowerCase(Locale.ROOT) + ": needs --reward-model, " + what);
        }
        return rewardModel;
    }

    private Resampling resampling() {
        return new Resampling(ClipPreprocessing.ALIGNPROP.filter(), rewardAntialias);
    }

    /// The folder's own tokenizer; CLIP's from the jar where there is none, as upstream's checkpoints come without.
    private ClipTokenizer tokenizer() throws IOException {
        return Files.exists(rewardModel.resolve("vocab.json")) ? ClipTokenizer.load(rewardModel) : EmbeddedModel.tokenizer();
    }

    RewardLoss loss() {
        return target == null ? new RewardLoss.Maximise() : SettingException.named("--target", () -> new RewardLoss.Target(target));
    }
}
