package dev.retrograd.trainer.cli.launch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Properties;

/** A Java installation, described by its {@code release} file. */
final class JdkHome {

    /** The first release that this program's class files run on. */
    static final int REQUIRED = 25;

    /** The module of the Vector API, which a small runtime image may lack. */
    static final String VECTOR_MODULE = "jdk.incubator.vector";

    private final Path home;
    private final String version;
    private final boolean hasVectorApi;

    private JdkHome(Path home, String version, boolean hasVectorApi) {
        this.home = home;
        this.version = version;
        this.hasVectorApi = hasVectorApi;
    }

    /**
     * Reads a folder's {@code release} file.
     *
     * @return empty if the folder holds no {@code bin/java} or no readable {@code release} file with a version
     */
    static Optional<JdkHome> read(Path home) {
        if (!Files.isExecutable(javaIn(home))) {
            return Optional.empty();
        }
        Properties release = new Properties();
        try (InputStream in = Files.newInputStream(home.resolve("release"))) {
            release.load(in);
        } catch (IOException | IllegalArgumentException unreadable) {
            return Optional.empty();
        }
        String version = unquoted(release.getProperty("JAVA_VERSION", ""));
        if (featureOf(version) == 0) {
            return Optional.empty();
        }
        String modules = unquoted(release.getProperty("MODULES", VECTOR_MODULE));
        return Optional.of(new JdkHome(home, version, Arrays.asList(modules.split(" ")).contains(VECTOR_MODULE)));
    }

    /**
     * The feature release of a version string: 8 for {@code 1.8.0_402}, 17 for {@code 17.0.15}, 25 for {@code 25-ea}.
     *
     * @return 0 if it does not start with a number
     */
    static int featureOf(String version) {
        String[] parts = version.split("[^0-9]", 3);
        String first = parts[0].equals("1") && parts.length > 1 ? parts[1] : parts[0];
        return first.isEmpty() || first.length() > 6 ? 0 : Integer.parseInt(first);
    }

    boolean suitable() {
        return feature() >= REQUIRED && hasVectorApi;
    }

    int feature() {
        return featureOf(version);
    }

    Path home() {
        return home;
    }

    Path java() {
        return javaIn(home);
    }

    /** For messages, as {@code 17.0.15 at /usr/lib/jvm/java-17}. */
    String describe() {
        return version + (hasVectorApi ? "" : " without " + VECTOR_MODULE) + " at " + home;
    }

    private static Path javaIn(Path home) {
        Path windows = home.resolve("bin").resolve("java.exe");
        return Files.isExecutable(windows) ? windows : home.resolve("bin").resolve("java");
    }

    private static String unquoted(String value) {
        return value.replace("\"", "").trim();
    }
}
