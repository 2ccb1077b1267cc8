package dev.retrograd.trainer.cli;

import dev.retrograd.rewards.RewardProvider;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.regex.Pattern;

/// Rewards of a user's own: of the classes on the class path, and of `--plugin`. Their classes stay loaded until the program ends.
final class Plugins {
    private static final String SERVICE = "META-INF/services/" + RewardProvider.class.getName();
    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9-]{0,63}");

    private final Map<String, RewardProvider> rewards = new LinkedHashMap<>();

    private Plugins() {
    }

    /// @param files jars, folders of classes, or Java source files
    /// @throws IOException if one is missing, damaged, or adds no reward; one sentence that names it
    static Plugins load(List<Path> files) throws IOException {
        Plugins plugins = new Plugins();
        plugins.addAll("the class path", ServiceLoader.load(RewardProvider.class, Plugins.class.getClassLoader()));
        for (Path file : files) {
            int before = plugins.rewards.size();
            if (file.toString().endsWith(".java")) {
                plugins.compile(file);
            } else {
                plugins.open(file);
            }
            if (plugins.rewards.size() == before) {
                throw new IOException(file + ": a plugin must name a reward's provider in " + SERVICE + ", got none");
            }
        }
        return plugins;
    }

    private void open(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new IOException(file + ": a jar, a folder of classes or a Java source file is required, but there is none");
        }
        if (Files.isRegularFile(file)) {
            requireJar(file);
        }
        // Left open: its classes are loaded when they are first used.
        URLClassLoader loader = new URLClassLoader(new URL[] {file.toUri().toURL()}, Plugins.class.getClassLoader());
        addAll(file.toString(), ServiceLoader.load(RewardProvider.class, loader));
    }

    private static void requireJar(Path file) throws IOException {
        try (JarFile _ = new JarFile(file.toFile())) {
            return;
        } catch (IOException e) {
            throw new IOException(file + ": a plugin must be a jar, a folder of classes or a Java source file, got a file that is none: " + e.getMessage(), e);
        }
    }

    private void compile(Path file) throws IOException {
        for (Class<?> c : SourcePlugin.compile(file)) {
            if (RewardProvider.class.isAssignableFrom(c) && !c.isInterface()) {
                add(file.toString(), instance(file, c.asSubclass(RewardProvider.class)));
            }
        }
    }

    private static RewardProvider instance(Path file, Class<? extends RewardProvider> provider) throws IOException {
        try {
            return provider.getConstructor().newInstance();
        } catch (NoSuchMethodException | IllegalAccessException | InstantiationException e) {
            throw new IOException(file + ": " + provider.getName() + " must be public and not abstract, with a public constructor without parameters, got another class", e);
        } catch (InvocationTargetException e) {
            throw new IOException(file + ": " + provider.getName() + " must be constructed without an error, got " + e.getCause(), e);
        }
    }

    private void addAll(String where, Iterable<RewardProvider> providers) throws IOException {
        try {
            for (RewardProvider provider : providers) {
                // A loader finds its parent's as well.
                if (rewards.values().stream().noneMatch(p -> p.getClass() == provider.getClass())) {
                    add(where, provider);
                }
            }
        } catch (ServiceConfigurationError | LinkageError e) {
            throw new IOException(where + ": its rewards must load, got an error: " + e.getMessage(), e);
        }
    }

    private void add(String where, RewardProvider provider) throws IOException {
        String name = provider.name();
        if (name == null || !NAME.matcher(name).matches() || BuiltInReward.named(name).isPresent()) {
            throw new IOException(where + ": a reward's name must be lower-case letters, digits and hyphens and none of " + String.join(", ", BuiltInReward.ids()) + ", got '" + name + "'");
        }
        if (rewards.putIfAbsent(name, provider) != null) {
            throw new IOException(where + ": each reward must have a name of its own, got '" + name + "' again");
        }
    }

    Optional<RewardProvider> named(String name) {
        return Optional.ofNullable(rewards.get(name));
    }

    Set<String> names() {
        return rewards.keySet();
    }
}
