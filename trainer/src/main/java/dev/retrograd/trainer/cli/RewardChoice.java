package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/// One of the rewards that `--reward` names: `hps`, `hps:0.5`, `aesthetic@7`, `aesthetic:0.5@7`.
///
/// @param name not yet known to be one
/// @param weight empty where none is given
/// @param target that the reward should come close to; empty where it should rise
record RewardChoice(String name, OptionalDouble weight, OptionalDouble target) {
    private static final String FORM = "REWARD, REWARD:WEIGHT, REWARD@TARGET or REWARD:WEIGHT@TARGET with a finite weight other than 0 and a finite target";

    /// The name of the reward if the values of `--reward` name a single one.
    ///
    /// @param values with commas or {@link Settings#SEPARATOR} between them; may be wrong, which is refused later
    static Optional<String> only(String values) {
        String[] all = values.split("[," + Settings.SEPARATOR + "]");
        return all.length == 1 ? Optional.of(all[0].split("[:@]", 2)[0].strip().toLowerCase(Locale.ROOT)) : Optional.empty();
    }

    /// @throws SettingException if it is none of the forms
    static RewardChoice parse(String text) {
        int at = text.indexOf('@');
        String front = at < 0 ? text : text.substring(0, at);
        int colon = front.indexOf(':');
        String name = (colon < 0 ? front : front.substring(0, colon)).strip().toLowerCase(Locale.ROOT);
        OptionalDouble weight = colon < 0 ? OptionalDouble.empty() : OptionalDouble.of(number(text, front.substring(colon + 1)));
        SettingException.require(weight.isEmpty() || weight.getAsDouble() != 0, "--reward", FORM, text);
        return new RewardChoice(name, weight, at < 0 ? OptionalDouble.empty() : OptionalDouble.of(number(text, text.substring(at + 1))));
    }

    private static double number(String text, String number) {
        double value;
        try {
            value = Double.parseDouble(number);
        } catch (NumberFormatException e) {
            value = Double.NaN;
        }
        SettingException.require(Double.isFinite(value), "--reward", FORM, text);
        return value;
    }
}
