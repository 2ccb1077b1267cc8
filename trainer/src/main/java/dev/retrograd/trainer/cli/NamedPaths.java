package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The values of a flag that names a file for each reward, `[REWARD=]PATH`; a path alone where only one reward takes one.
final class NamedPaths {
    private final Map<String, Path> paths = new HashMap<>();

    /// @param rewards those that take such a file
    /// @throws SettingException if it cannot be said whose a path is, or one reward has two
    NamedPaths(String flag, List<String> values, List<String> rewards) {
        SettingException.require(values.isEmpty() || !rewards.isEmpty(), flag, "left out where no reward takes one", String.join(" ", values));
        for (String given : values) {
            Optional<String> named = rewards.stream().filter(r -> given.startsWith(r + "=")).findFirst();
            if (named.isEmpty() && (rewards.size() > 1 || values.size() > 1)) {
                throw new SettingException(flag + ": with several, each must name its reward, as in " + rewards.getFirst() + "=PATH, got " + given);
            }
            String reward = named.orElseGet(rewards::getFirst);
            String path = named.isPresent() ? given.substring(reward.length() + 1) : given;
            SettingException.require(!path.isEmpty(), flag, "a path, or REWARD=PATH", given.isEmpty() ? "nothing" : given);
            if (paths.put(reward, SettingException.named(flag, () -> Path.of(path))) != null) {
                throw new SettingException(flag + ": must be given once for each reward, got " + reward + " twice");
            }
        }
    }

    Optional<Path> of(String reward) {
        return Optional.ofNullable(paths.get(reward));
    }
}
