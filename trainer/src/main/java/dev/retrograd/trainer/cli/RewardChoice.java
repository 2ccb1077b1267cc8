package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/// One of the rewards that `--reward` names: `hps`, `hps:0.5`.
///
/// @param weight empty where none is given
record RewardChoice(Kind kind, OptionalDouble weight) {

    enum Kind {
        COMPRESSIBILITY, INCOMPRESSIBILITY, AESTHETIC, HPS, CONCEPT_REMOVAL, OBJECT_COUNT, CLIP, FITTED;

        /// What the command line calls it.
        String id() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /// @throws SettingException if there is no such reward, or the weight is no finite number other than 0
    static RewardChoice parse(String text) {
        int colon = text.indexOf(':');
        String id = (colon < 0 ? text : text.substring(0, colon)).strip().toLowerCase(Locale.ROOT);
        Kind kind = Arrays.stream(Kind.values()).filter(k -> k.id().equals(id)).findFirst().orElseThrow(() -> new SettingException("--reward: must be one of "
                + Arrays.stream(Kind.values()).map(Kind::id).collect(Collectors.joining(", ")) + ", got " + text));
        return new RewardChoice(kind, colon < 0 ? OptionalDouble.empty() : OptionalDouble.of(weight(text, text.substring(colon + 1))));
    }

    private static double weight(String text, String number) {
        double weight;
        try {
            weight = Double.parseDouble(number);
        } catch (NumberFormatException e) {
            weight = Double.NaN;
        }
        SettingException.require(Double.isFinite(weight) && weight != 0, "--reward", "REWARD or REWARD:WEIGHT with a finite weight other than 0", text);
        return weight;
    }
}
