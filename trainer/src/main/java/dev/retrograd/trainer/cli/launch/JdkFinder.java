package dev.retrograd.trainer.cli.launch;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Looks for a JDK 25 or newer where people and packagers put them.
 *
 * <p>{@code RETROGRAD_JAVA_HOME} decides alone when it is set; then {@code JAVA_HOME} and the running Java, if suitable; then the
 * newest suitable one of the usual folders.
 */
final class JdkFinder {

    private static final String OVERRIDE = "RETROGRAD_JAVA_HOME";

    private final Map<String, String> environment;
    private final Path running;
    private final List<Path> parents;

    /**
     * @param environment the process's environment variables
     * @param running the home of the running Java
     * @param parents folders whose children are Java homes
     */
    JdkFinder(Map<String, String> environment, Path running, List<Path> parents) {
        this.environment = environment;
        this.running = running;
        this.parents = parents;
    }

    /** Looks at this machine. */
    static JdkFinder ofThisMachine() {
        Path user = Paths.get(System.getProperty("user.home"));
        List<Path> parents = new ArrayList<>();
        parents.add(Paths.get("/usr/lib/jvm"));
        parents.add(user.resolve(".sdkman/candidates/java"));
        parents.add(user.resolve(".jdks"));
        parents.add(Paths.get("/opt"));
        parents.add(Paths.get("/Library/Java/JavaVirtualMachines"));
        return new JdkFinder(System.getenv(), Paths.get(System.getProperty("java.home")), parents);
    }

    /**
     * Returns the JDK to run on.
     *
     * @throws NoJdkException if there is none, or {@code RETROGRAD_JAVA_HOME} names something else
     */
    JdkHome find() throws NoJdkException {
        String override = environment.getOrDefault(OVERRIDE, "");
        if (!override.isEmpty()) {
            return overridden(override);
        }
        List<JdkHome> preferred = new ArrayList<>();
        String javaHome = environment.getOrDefault("JAVA_HOME", "");
        if (!javaHome.isEmpty()) {
            JdkHome.read(Paths.get(javaHome)).ifPresent(preferred::add);
        }
        JdkHome.read(running).ifPresent(preferred::add);
        for (JdkHome jdk : preferred) {
            if (jdk.suitable()) {
                return jdk;
            }
        }
        List<JdkHome> installed = installed();
        Optional<JdkHome> newest = installed.stream()
                .filter(JdkHome::suitable)
                .max(Comparator.comparingInt(JdkHome::feature).thenComparing(jdk -> jdk.home().toString()));
        if (newest.isPresent()) {
            return newest.get();
        }
        preferred.addAll(installed);
        throw new NoJdkException("a JDK " + JdkHome.REQUIRED + " or newer is required, found " + describe(preferred)
                + "; install one (for example Temurin " + JdkHome.REQUIRED + ", https://adoptium.net) or set " + OVERRIDE
                + " to where it is");
    }

    private static JdkHome overridden(String home) throws NoJdkException {
        Optional<JdkHome> jdk = JdkHome.read(Paths.get(home));
        if (!jdk.isPresent() || !jdk.get().suitable()) {
            throw new NoJdkException(OVERRIDE + ": must be the home of a JDK " + JdkHome.REQUIRED + " or newer, got "
                    + (jdk.isPresent() ? jdk.get().describe() : "no JDK at " + home));
        }
        return jdk.get();
    }

    /** Every JDK in the usual folders; on macOS the home is {@code Contents/Home} inside. */
    private List<JdkHome> installed() {
        List<JdkHome> found = new ArrayList<>();
        for (Path parent : parents) {
            if (!Files.isDirectory(parent)) {
                continue;
            }
            try (DirectoryStream<Path> children = Files.newDirectoryStream(parent)) {
                for (Path child : children) {
                    Path bundled = child.resolve("Contents/Home");
                    JdkHome.read(Files.isDirectory(bundled) ? bundled : child).ifPresent(found::add);
                }
            } catch (IOException unreadable) {
                continue; // a folder that this user may not list holds no Java for him either
            }
        }
        return found;
    }

    /** Each installation once, whatever links lead to it. */
    private static String describe(List<JdkHome> jdks) {
        Map<Path, String> distinct = new LinkedHashMap<>();
        for (JdkHome jdk : jdks) {
            distinct.putIfAbsent(real(jdk.home()), jdk.describe());
        }
        return distinct.isEmpty() ? "none" : distinct.values().stream().collect(Collectors.joining(", "));
    }

    private static Path real(Path path) {
        try {
            return path.toRealPath();
        } catch (IOException gone) {
            return path;
        }
    }

    /** No Java of this machine can run the program; the message says what there is and what to install. */
    static final class NoJdkException extends Exception {
        private static final long serialVersionUID = 1;

        NoJdkException(String message) {
            super(message);
        }
    }
}
