package dev.retrograd.trainer.cli.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.trainer.cli.launch.JdkFinder.NoJdkException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JdkFinderTest {

    @TempDir
    private Path folder;

    private Path running;
    private Path usual;

    @BeforeEach
    void runsOnJava17() throws IOException {
        running = FakeJdk.installVersion(folder.resolve("running"), "17.0.15");
        usual = Files.createDirectory(folder.resolve("jvm"));
    }

    private Path find(Map<String, String> environment) throws NoJdkException {
        return new JdkFinder(environment, running, List.of(folder.resolve("absent"), usual)).find().home();
    }

    @Test
    void newestOfTheUsualFoldersIsTaken() throws IOException, NoJdkException {
        FakeJdk.installVersion(usual.resolve("a"), "25.0.1");
        Path newest = FakeJdk.installVersion(usual.resolve("b"), "26");
        FakeJdk.installVersion(usual.resolve("c"), "21.0.2");
        assertEquals(newest, find(Map.of()));
    }

    @Test
    void javaHomeComesBeforeANewerOne() throws IOException, NoJdkException {
        Path home = FakeJdk.installVersion(folder.resolve("home"), "25");
        FakeJdk.installVersion(usual.resolve("newer"), "26");
        assertEquals(home, find(Map.of("JAVA_HOME", home.toString())));
    }

    @Test
    void anOlderJavaHomeIsPassedOver() throws IOException, NoJdkException {
        Path home = FakeJdk.installVersion(folder.resolve("home"), "21");
        Path found = FakeJdk.installVersion(usual.resolve("a"), "25");
        assertEquals(found, find(Map.of("JAVA_HOME", home.toString())));
    }

    @Test
    void theRunningJavaComesBeforeTheUsualFolders() throws IOException, NoJdkException {
        running = FakeJdk.installVersion(folder.resolve("running25"), "25");
        FakeJdk.installVersion(usual.resolve("newer"), "26");
        assertEquals(running, find(Map.of()));
    }

    @Test
    void theOverrideDecidesAlone() throws IOException, NoJdkException {
        Path override = FakeJdk.installVersion(folder.resolve("override"), "25");
        Path home = FakeJdk.installVersion(folder.resolve("home"), "26");
        assertEquals(override, find(Map.of("RETROGRAD_JAVA_HOME", override.toString(), "JAVA_HOME", home.toString())));

        Path old = FakeJdk.installVersion(folder.resolve("old"), "21.0.1");
        NoJdkException tooOld = assertThrows(NoJdkException.class,
                () -> find(Map.of("RETROGRAD_JAVA_HOME", old.toString(), "JAVA_HOME", home.toString())));
        assertEquals("RETROGRAD_JAVA_HOME: must be the home of a JDK 25 or newer, got 21.0.1 at " + old, tooOld.getMessage());

        NoJdkException missing = assertThrows(NoJdkException.class, () -> find(Map.of("RETROGRAD_JAVA_HOME", "/nowhere")));
        assertEquals("RETROGRAD_JAVA_HOME: must be the home of a JDK 25 or newer, got no JDK at /nowhere", missing.getMessage());
    }

    @Test
    void macOsBundlesHoldTheirHomeInside() throws IOException, NoJdkException {
        Path home = FakeJdk.installVersion(usual.resolve("temurin-25.jdk/Contents/Home"), "25");
        assertEquals(home, find(Map.of()));
    }

    @Test
    void whatWasFoundIsNamedOnceWhenNothingServes() throws IOException {
        Path old = FakeJdk.installVersion(usual.resolve("java-21"), "21.0.2");
        Path link = usual.resolve("default");
        assumeTrue(link.getFileSystem().supportedFileAttributeViews().contains("posix"), "needs symbolic links");
        Files.createSymbolicLink(link, running);
        NoJdkException none = assertThrows(NoJdkException.class, () -> find(Map.of("JAVA_HOME", "")));
        assertEquals("a JDK 25 or newer is required, found 17.0.15 at " + running + ", 21.0.2 at " + old
                + "; install one (for example Temurin 25, https://adoptium.net) or set RETROGRAD_JAVA_HOME to where it is",
                none.getMessage());
    }
}
