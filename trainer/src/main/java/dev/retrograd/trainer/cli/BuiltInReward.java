package dev.retrograd.trainer.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// A reward that the program knows by itself.
enum BuiltInReward {
    COMPRESSIBILITY(false), INCOMPRESSIBILITY(false), JPEG_SIZE(false),
    PICTURE_RATING(false), PICTURE_CENTRED(false), PICTURE_LARGE(false), PICTURE_SATURATED(false), PICTURE_CLEAN(false), JUDGE(false),
    AESTHETIC(true), HPS(true), PICKSCORE(true), CLIP(true), CONCEPT_REMOVAL(true), OBJECT_COUNT(true), FITTED(true);

    private final boolean model;

    BuiltInReward(boolean model) {
        this.model = model;
    }

    /// What the command line calls it.
    String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Whether it scores by a model's file, of `--reward-model`.
    boolean takesModel() {
        return model;
    }

    /// Whether its model is completed by a head, of `--reward-head`.
    boolean takesHead() {
        return this == AESTHETIC || this == FITTED;
    }

    /// Whether it is no more than a value: for `--track`, and for methods that need no gradient.
    boolean blackBox() {
        return this == JPEG_SIZE || this == JUDGE || id().startsWith("picture-");
    }

    /// Whether it may be measured and never raised, by any method.
    boolean onlyTracked() {
        return this == JUDGE;
    }

    static Optional<BuiltInReward> named(String id) {
        return Arrays.stream(values()).filter(r -> r.id().equals(id)).findFirst();
    }

    static List<String> ids() {
        return Arrays.stream(values()).map(BuiltInReward::id).toList();
    }
}
