package dev.retrograd.trainer.cli;

import dev.retrograd.core.Backend;
import dev.retrograd.rewards.clip.ImageFeatures;
import dev.retrograd.trainer.EmbeddedModel;
import dev.retrograd.trainer.Regularisers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// What keeps a model from collapsing, all off by default, and how a collapse is seen.
final class RegulariserOptions {
    @ArgGroup(validate = false, heading = "%nAgainst collapse, off by default (--ema is another means), and to see it:%n", order = 99)
    private Group group = new Group();

    private static final class Group {
        @Option(names = "--kl-coefficient", paramLabel = "C", defaultValue = "0",
                description = "Adds C times the mean squared difference between the model's noise prediction and the base model's, at each differentiated step; default: ${DEFAULT-VALUE}.")
        private double kl;

        @Option(names = "--stop-patience", paramLabel = "N", defaultValue = "0",
                description = "Stop when the reward on held-out prompts has not risen over so many sample grids (--sample-every); 0: never; default: ${DEFAULT-VALUE}.")
        private int patience;

        @Option(names = "--diversity-floor", paramLabel = "D", description = "Stop when diversity, measured with every sample grid, falls below this; default: never.")
        private Double floor;

        @Option(names = "--diversity-prompts", paramLabel = "N", defaultValue = "2",
                description = "Prompts, four images each, whose mean CLIP distance within a prompt is measured with every sample grid, where there is a CLIP; default: ${DEFAULT-VALUE}.")
        private int prompts;

        @Option(names = "--clip", paramLabel = "DIR", description = "CLIP in transformers' layout that measures diversity; default: that of --reward clip, aesthetic or fitted, or the one inside the jar beside its model.")
        private Path clip;
    }

    /// @throws dev.retrograd.trainer.SettingException if they cannot be
    Regularisers settings() {
        return new Regularisers(group.kl, group.patience, group.prompts, group.floor == null ? OptionalDouble.empty() : OptionalDouble.of(group.floor));
    }

    /// The CLIP by which diversity is measured; empty if none is at hand or wanted.
    ///
    /// @param ofReward a CLIP that a reward was given
    /// @throws IOException if it cannot be read
    Optional<ImageFeatures> clip(Backend backend, boolean embedded, Optional<Path> ofReward) throws IOException {
        Optional<Path> named = Optional.ofNullable(group.clip).or(() -> ofReward);
        if (group.prompts == 0 || named.isEmpty() && !embedded) {
            return Optional.empty();
        }
        if (named.isPresent()) {
            return Optional.of(ImageFeatures.load(backend, named.get()));
        }
        try (EmbeddedModel miniature = EmbeddedModel.unpack()) {
            return Optional.of(ImageFeatures.load(backend, miniature.files().clip()));
        }
    }
}
