package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.trainer.SettingException;
import dev.retrograd.trainer.Trainable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;

/// Finds the layers of settings that a command line asks for, before it is parsed: the preset of the embedded model, the resumed run's settings, `--config`.
final class SettingsLayers {
    private static final String PRESET = "/dev/retrograd/trainer/preset.json";
    private static final String PRESET_ORIGIN = "the preset of the embedded model";
    private static final String MICRO_BATCH = "micro-batch-size";
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Whose presets `plan` shares.
    private static final String TRAIN = "train";

    /// Weights that all move at once take smaller steps; the rate is that of the rivals which train the whole UNet, ReFL and RWR.
    private static final Map<String, String> OF_FULL_TRAINING = Map.of("learning-rate", "1e-5");

    private SettingsLayers() {
    }

    /// Makes the layers the default values of the command that the arguments name.
    ///
    /// @throws IOException if a settings file cannot be read
    /// @throws SettingException if it has an unknown key or is no object of settings
    static void install(CommandLine program, String... args) throws IOException {
        CommandLine command = Arrays.stream(args).filter(a -> !a.startsWith("-")).findFirst().map(program.getSubcommands()::get).orElse(null);
        // The help shows a command's own defaults, not those of a preset.
        boolean help = Arrays.stream(args).anyMatch(a -> a.equals("--help") || a.equals("-h"));
        if (help || command == null || command.getCommandSpec().findOption("--config") == null) {
            return;
        }
        Settings settings = new Settings();
        boolean resumes = command.getCommandSpec().findOption("--resume") != null;
        boolean trains = command.getCommandSpec().findOption("--method") != null;
        Resume resume = resumes ? Resume.find(value("--resume", args).orElse(null), value("--output", args).map(o -> SettingException.named("--output", () -> Path.of(o))).orElse(null)) : Resume.NONE;
        Settings asked = new Settings();
        if (resume.config().isPresent()) {
            asked.overlay(resume.config().get());
        }
        Optional<String> config = value("--config", args);
        if (config.isPresent()) {
            SettingException.require(!config.get().isEmpty(), "--config", "a file of settings", "nothing");
            asked.overlay(SettingException.named("--config", () -> Path.of(config.get())));
        }
        boolean embedded = value("--model", args).isEmpty() && asked.get("model").isEmpty() && value("--arch", args).isEmpty() && asked.get("arch").isEmpty();
        if (trains) {
            Optional<String> named = value("--method", args).or(() -> asked.get("method"));
            MethodChoice method = MethodChoice.named(named.orElse("")).orElse(MethodChoice.ALIGNPROP);
            settings.overlay("the defaults of --method " + method, JSON.valueToTree(method.defaults()));
            boolean full = value("--trainable", args).or(() -> asked.get("trainable")).filter(t -> t.equalsIgnoreCase(Trainable.FULL.toString())).isPresent();
            if (full) {
                settings.overlay("the defaults of --trainable full", JSON.valueToTree(OF_FULL_TRAINING));
            }
            if (embedded) {
                settings.preset(PRESET_ORIGIN, preset(TRAIN));
                JsonNode ofMethod = preset(TRAIN + " --method " + method);
                settings.preset(PRESET_ORIGIN, ofMethod.isEmpty() ? preset(TRAIN + " --reward " + reward(asked, args)) : ofMethod);
                if (full) {
                    settings.preset(PRESET_ORIGIN, preset(TRAIN + " --trainable full"));
                }
                withinBatch(settings, value("--batch-size", args).or(() -> asked.get("batch-size")));
            }
        } else if (embedded) {
            settings.preset(PRESET_ORIGIN, preset(command.getCommandName()));
        }
        settings.overlay(asked);
        Settings.ALTERNATIVES.forEach((one, other) -> {
            if (value("--" + one, args).isPresent()) {
                settings.remove(other);
            }
        });
        settings.check(command.getCommandSpec());
        command.setDefaultValueProvider(settings);
    }

    /// What the embedded model overrides of a command's defaults; empty if nothing.
    ///
    /// @param command its name, `train --method NAME` or else `train --reward NAME`, which lie over `train`, or `train --trainable full`, over all of these
    static JsonNode preset(String command) throws IOException {
        try (InputStream in = SettingsLayers.class.getResourceAsStream(PRESET)) {
            JsonNode all = JSON.readTree(in);
            return all.has(command) ? all.get(command) : JSON.createObjectNode();
        }
    }

    /// A preset's images at once are no more than the batch that was asked for.
    private static void withinBatch(Settings settings, Optional<String> asked) {
        asked.filter(batch -> batch.matches("[1-9]\\d{0,8}")).map(Integer::valueOf)
                .filter(batch -> settings.get(MICRO_BATCH).filter(preset -> Integer.parseInt(preset) > batch).isPresent())
                .ifPresent(batch -> settings.preset(PRESET_ORIGIN, JSON.createObjectNode().put(MICRO_BATCH, batch)));
    }

    /// The one reward that is raised, which may be wrong; empty if several are.
    private static String reward(Settings asked, String... args) {
        List<String> given = values("--reward", args);
        String all = given.isEmpty() ? asked.get("reward").orElse(RewardOptions.DEFAULT) : String.join(Settings.SEPARATOR, given);
        return RewardChoice.only(all).orElse("");
    }

    /// The value of an option as it will be parsed, the last one.
    private static Optional<String> value(String option, String... args) {
        List<String> all = values(option, args);
        return all.isEmpty() ? Optional.empty() : Optional.of(all.getLast());
    }

    /// The values of an option: `--name value` or `--name=value`.
    private static List<String> values(String option, String... args) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].startsWith(option + "=")) {
                values.add(args[i].substring(option.length() + 1));
            } else if (args[i].equals(option) && i + 1 < args.length) {
                values.add(args[i + 1]);
            }
        }
        return values;
    }
}
