package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.io.JsonError;
import dev.retrograd.trainer.SettingException;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/// Settings from JSON files beneath the command line's flags: `--learning-rate 1e-3` is `{"learning-rate": 1e-3}`.
///
/// Later layers override earlier ones; flags override all. They reach picocli as default values, so that a setting is parsed and refused in one place wherever it comes from.
final class Settings implements IDefaultValueProvider {
    /// Between the values of a list; no text that a person types has it.
    static final String SEPARATOR = "\u001f";

    private static final ObjectMapper JSON = new ObjectMapper().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    /// Of this call, not of the run.
    private static final Set<String> NOT_SETTINGS = Set.of("help", "version", "verbose", "config", "resume", "output", "open-report", "profile");

    /// Settings of which a layer that has one overrides the other.
    static final Map<String, String> ALTERNATIVES = Map.of("prompt", "prompts", "prompts", "prompt");

    private final Map<String, String> values = new LinkedHashMap<>();
    private final Map<String, String> origins = new LinkedHashMap<>();
    private final Set<String> preset = new LinkedHashSet<>();

    /// Puts a file's settings over those so far.
    ///
    /// @throws IOException if it cannot be read
    /// @throws SettingException if it is no JSON object of settings
    void overlay(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": a JSON file of settings is required, but " + (Files.exists(file) ? "this is none" : "there is none"));
        }
        byte[] content = Files.readAllBytes(file);
        try {
            overlay(file.toString(), JSON.readTree(content));
        } catch (JsonProcessingException e) {
            throw new SettingException(file + ": must be JSON, got an error in " + JsonError.withPlace(e));
        } catch (CharConversionException e) {
            throw new SettingException(file + ": must be UTF-8, got other bytes");
        }
    }

    /// @param origin what messages call these settings
    void overlay(String origin, JsonNode settings) {
        if (!settings.isObject()) {
            throw new SettingException(origin + ": must be a JSON object of settings, such as {\"steps\": 20}");
        }
        ALTERNATIVES.forEach((one, other) -> {
            if (settings.has(one)) {
                remove(other);
            }
        });
        for (Map.Entry<String, JsonNode> e : settings.properties()) {
            preset.remove(e.getKey());
            values.put(e.getKey(), text(origin, e.getKey(), e.getValue()));
            origins.put(e.getKey(), origin);
        }
    }

    private static String text(String origin, String key, JsonNode value) {
        if (value.isValueNode() && !value.isNull()) {
            return value.asText();
        }
        if (value.isArray() && !value.isEmpty()) {
            List<String> parts = new ArrayList<>();
            for (JsonNode part : value) {
                parts.add(text(origin, key, part));
            }
            return String.join(SEPARATOR, parts);
        }
        throw new SettingException(origin + ": '" + key + "' must be a number, a text, true, false or a list of these, got " + value);
    }

    /// Puts a preset over those so far, which {@link #inForce} tells of.
    ///
    /// @param origin what messages call it
    void preset(String origin, JsonNode settings) {
        overlay(origin, settings);
        settings.fieldNames().forEachRemaining(preset::add);
    }

    /// What of the preset holds in a call, such as `steps 20, guidance 3`: neither overridden by a later layer nor by a flag. Empty if nothing.
    static String inForce(CommandLine command) {
        if (!(command.getDefaultValueProvider() instanceof Settings settings)) {
            return "";
        }
        return command.getCommandSpec().options().stream().filter(o -> settings.preset.contains(key(o)) && !command.getParseResult().hasMatchedOption(o))
                .map(o -> key(o) + " " + settings.values.get(key(o))).collect(Collectors.joining(", "));
    }

    /// Forgets a setting, which a flag or a higher layer overrides by another one.
    void remove(String key) {
        values.remove(key);
        origins.remove(key);
        preset.remove(key);
    }

    /// Refuses keys that the command has no option for.
    ///
    /// @throws SettingException naming the file, the key and what is allowed
    void check(CommandSpec command) {
        Set<String> known = new TreeSet<>();
        for (OptionSpec option : command.options()) {
            known.add(key(option));
        }
        known.removeAll(NOT_SETTINGS);
        for (String key : values.keySet()) {
            if (!known.contains(key)) {
                throw new SettingException(origins.get(key) + ": unknown setting '" + key + "'; allowed are " + String.join(", ", known));
            }
        }
    }

    /// Puts other settings over those so far.
    void overlay(Settings others) {
        ALTERNATIVES.forEach((one, other) -> {
            if (others.values.containsKey(one)) {
                remove(other);
            }
        });
        preset.removeAll(others.values.keySet());
        values.putAll(others.values);
        origins.putAll(others.origins);
    }

    /// The value of a setting so far.
    Optional<String> get(String key) {
        return Optional.ofNullable(values.get(key));
    }

    private static String key(OptionSpec option) {
        return option.longestName().replaceFirst("^--", "");
    }

    @Override public String defaultValue(ArgSpec argument) {
        boolean given = argument instanceof OptionSpec option && !NOT_SETTINGS.contains(key(option)) && values.containsKey(key(option));
        // Doubled, because picocli replaces variables in defaults, and these are texts of the user's.
        return given ? values.get(key((OptionSpec) argument)).replace("$", "$$") : null;
    }

    /// Every setting of a command that was parsed, whatever it came from.
    static ObjectNode of(CommandLine command) {
        ObjectNode all = JSON.createObjectNode();
        for (OptionSpec option : command.getCommandSpec().options()) {
            Object value = option.getValue();
            if (value == null || NOT_SETTINGS.contains(key(option))) {
                continue;
            }
            if (value instanceof Collection<?> many) {
                if (!many.isEmpty()) {
                    ArrayNode list = all.putArray(key(option));
                    many.forEach(v -> list.add(node(v)));
                }
            } else {
                all.set(key(option), node(value));
            }
        }
        return all;
    }

    private static JsonNode node(Object value) {
        return switch (value) {
            case Number number -> JSON.valueToTree(number);
            case Boolean flag -> JSON.valueToTree(flag);
            case Enum<?> choice -> JSON.getNodeFactory().textNode(choice.name().toLowerCase(Locale.ROOT).replace('_', '-'));
            default -> JSON.getNodeFactory().textNode(value.toString());
        };
    }
}
