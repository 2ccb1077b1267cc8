package dev.retrograd.trainer.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import picocli.CommandLine.TypeConversionException;

/// What `--method` names, and which settings of other groups have another default there, after the method's source.
enum MethodChoice {
    ALIGNPROP(Map.of()),
    DRAFT(Map.of()),
    DRAFT_LV(Map.of()),
    DRTUNE(Map.of()),
    REFL(Map.of("steps", "40", "guidance", "1", "eta", "1", "learning-rate", "1e-5")),
    DDPO(Map.of("guidance", "5", "eta", "1", "learning-rate", "3e-4")),
    RWR(Map.of("learning-rate", "1e-5")),
    DOODL(Map.of("sampler", "edict", "updates", "50", "learning-rate", "1", "max-grad-norm", "0"));

    private final SequencedMap<String, String> defaults;

    MethodChoice(Map<String, String> defaults) {
        this.defaults = new TreeMap<>(defaults);
    }

    /// What the command line calls it.
    String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Defaults by option, without dashes.
    Map<String, String> defaults() {
        return defaults;
    }

    /// The method of this name, which may be wrong: picocli refuses that later.
    static Optional<MethodChoice> named(String id) {
        return Arrays.stream(values()).filter(m -> m.id().equals(id.toLowerCase(Locale.ROOT))).findFirst();
    }

    /// @throws TypeConversionException if there is no method of this name
    static MethodChoice parse(String id) {
        return named(id).orElseThrow(() -> new TypeConversionException("must be one of " + Arrays.stream(values()).map(MethodChoice::id).collect(Collectors.joining(", ")) + ", got '" + id + "'"));
    }

    /// As the help has them: `eta 1, steps 40`.
    String describeDefaults() {
        return defaults.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "));
    }

    @Override public String toString() {
        return id();
    }
}
