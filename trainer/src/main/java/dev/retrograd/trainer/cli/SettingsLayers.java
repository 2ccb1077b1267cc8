package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine;

/// Finds the layers of settings that a command line asks for, before it is parsed: the preset of the embedded model, the resumed run's settings, `--config`.
final class SettingsLayers {
    private static final String PRESET = "/dev/retrograd/trainer/preset.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    private SettingsLayers() {
    }

    /// Makes the layers the default values of the command that the arguments name.
    ///
    /// @throws IOException if a settings file cannot be read, or has an unknown key
    static void install(CommandLine program, String... args) throws IOException {
        CommandLine command = args.length == 0 ? null : program.getSubcommands().get(args[0]);
        if (command == null || command.getCommandSpec().findOption("--config") == null) {
            return;
        }
        Settings settings = new Settings();
        boolean trains = command.getCommandSpec().findOption("--resume") != null;
        Resume resume = trains ? Resume.find(value("--resume", args).orElse(null), value("--output", args).map(Path::of).orElse(null)) : Resume.NONE;
        Settings asked = new Settings();
        if (resume.config().isPresent()) {
            asked.overlay(resume.config().get());
        }
        Optional<String> config = value("--config", args);
        if (config.isPresent()) {
            asked.overlay(Path.of(config.get()));
        }
        boolean embedded = value("--model", args).isEmpty() && asked.get("model").isEmpty();
        if (embedded) {
            settings.overlay("the preset of the embedded model", preset(command));
        }
        settings.overlay(asked);
        settings.check(command.getCommandSpec());
        command.setDefaultValueProvider(settings);
    }

    /// What the embedded model overrides of a command's defaults; empty if nothing.
    static JsonNode preset(CommandLine command) throws IOException {
        try (InputStream in = SettingsLayers.class.getResourceAsStream(PRESET)) {
            JsonNode all = JSON.readTree(in);
            return all.has(command.getCommandName()) ? all.get(command.getCommandName()) : JSON.createObjectNode();
        }
    }

    /// The value of an option as it will be parsed: `--name value` or `--name=value`, the last one.
    private static Optional<String> value(String option, String... args) {
        Optional<String> value = Optional.empty();
        for (int i = 1; i < args.length; i++) {
            if (args[i].startsWith(option + "=")) {
                value = Optional.of(args[i].substring(option.length() + 1));
            } else if (args[i].equals(option) && i + 1 < args.length) {
                value = Optional.of(args[i + 1]);
            }
        }
        return value;
    }
}
