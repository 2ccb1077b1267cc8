package dev.retrograd.trainer.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/// Options of one command that it passes on to others, which parse them anew.
///
/// @param values as they were typed, by the option's name without dashes; none of a flag
record Forwarded(SequencedMap<String, List<String>> values) {
    /// Where results go is no part of what they are.
    private static final Set<String> PLACES = Set.of("output", "cache");
    /// Likewise how fast they come, and what is told of errors.
    private static final Set<String> MANNERS = Set.of("threads", "verbose");

    static Forwarded of(ParseResult parsed) {
        SequencedMap<String, List<String>> values = new LinkedHashMap<>();
        for (OptionSpec option : parsed.matchedOptions()) {
            values.put(key(option), option.arity().max() == 0 ? List.of() : List.copyOf(option.originalStringValues()));
        }
        return new Forwarded(values);
    }

    private static String key(OptionSpec option) {
        return option.longestName().replaceFirst("^--", "");
    }

    /// Those that a command has an option for, less where results go.
    SequencedMap<String, List<String>> to(CommandSpec command) {
        SequencedMap<String, List<String>> some = new LinkedHashMap<>();
        values.forEach((key, value) -> {
            if (!PLACES.contains(key) && command.findOption("--" + key) != null) {
                some.put(key, value);
            }
        });
        return some;
    }

    /// As arguments of a command line.
    static List<String> arguments(Map<String, List<String>> values) {
        List<String> all = new ArrayList<>();
        values.forEach((key, some) -> {
            if (some.isEmpty()) {
                all.add("--" + key);
            }
            some.forEach(v -> all.add("--" + key + "=" + v));
        });
        return all;
    }

    /// What was typed, as it is typed, less where files go; begins with a blank, if there is any.
    String words() {
        SequencedMap<String, List<String>> some = new LinkedHashMap<>(values);
        some.keySet().removeAll(PLACES);
        some.keySet().removeAll(MANNERS);
        return arguments(some).stream().map(a -> " " + (a.matches("[-A-Za-z0-9=.,:/@_+]*") ? a : "'" + a.replace("'", "'\\''") + "'")).collect(Collectors.joining());
    }
}
