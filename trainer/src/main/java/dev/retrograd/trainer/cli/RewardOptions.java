package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.DifferentiableReward;
import dev.retrograd.rewards.FileSizeGoal;
import dev.retrograd.rewards.JpegCompressibility;
import dev.retrograd.rewards.JpegSettings;
import dev.retrograd.rewards.clip.ClipSimilarity;
import dev.retrograd.rewards.clip.FittedReward;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.method.RewardLoss;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Option;

/// What is raised.
final class RewardOptions {
    @Option(names = "--reward", paramLabel = "REWARD", defaultValue = "compressibility",
            description = "compressibility (minus the KB of a JPEG file), incompressibility, clip (similarity of image and prompt), or fitted (a head that fit-reward made); default: ${DEFAULT-VALUE}.")
    private Kind reward;

    @Option(names = "--reward-model", paramLabel = "DIR", description = "CLIP as a transformers folder, for --reward clip and fitted.")
    private Path rewardModel;

    @Option(names = "--reward-head", paramLabel = "FILE", description = "Head on the features of --reward-model, for --reward fitted.")
    private Path rewardHead;

    @Option(names = "--jpeg-quality", paramLabel = "Q", defaultValue = "95", description = "Quality of the JPEG whose size is meant, 1..100; default: ${DEFAULT-VALUE}.")
    private int jpegQuality;

    @Option(names = "--target", paramLabel = "R", description = "Minimise |R - reward| instead of raising the reward without end.")
    private Double target;

    enum Kind { COMPRESSIBILITY, INCOMPRESSIBILITY, CLIP, FITTED }

    /// The reward, on a backend; its constants and weights live in the scope that is open now or until it is closed.
    ///
    /// @throws IOException if its model is missing, damaged or not supported
    DifferentiableReward load(Backend backend) throws IOException {
        JpegSettings jpeg = SettingException.named("--jpeg-quality", () -> new JpegSettings(jpegQuality, JpegSettings.Chroma.HALF));
        return switch (reward) {
            case COMPRESSIBILITY -> new JpegCompressibility(backend, FileSizeGoal.SMALLER, jpeg);
            case INCOMPRESSIBILITY -> new JpegCompressibility(backend, FileSizeGoal.LARGER, jpeg);
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
        if (rewardModel == null) {
            throw new SettingException("--reward " + reward.name().toLowerCase(Locale.ROOT) + ": needs --reward-model, a folder with CLIP in transformers' layout");
        }
        return rewardModel;
    }

    RewardLoss loss() {
        return target == null ? new RewardLoss.Maximise() : SettingException.named("--target", () -> new RewardLoss.Target(target));
    }
}
