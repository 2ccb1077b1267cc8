package dev.retrograd.trainer.cli.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JdkHomeTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"1.8.0_402, 8", "9, 9", "11.0.2+9, 11", "17.0.15, 17", "25, 25", "25-ea, 25", "25.0.3+9-LTS, 25", "26.0.1, 26",
        "'', 0", "unknown, 0", "1, 1", "99999999999, 0"})
    void versionStringsOfAllAgesGiveTheirFeatureRelease(String version, int feature) {
        assertEquals(feature, JdkHome.featureOf(version));
    }

    @Test
    void releaseFileDecidesWhatAFolderIs() throws IOException {
        FakeJdk.install(folder.resolve("25"), "JAVA_VERSION=\"25.0.3\"\nMODULES=\"java.base jdk.incubator.vector\"\n");
        JdkHome jdk = JdkHome.read(folder.resolve("25")).orElseThrow();
        assertTrue(jdk.suitable());
        assertEquals("25.0.3 at " + folder.resolve("25"), jdk.describe());
        assertEquals(folder.resolve("25/bin/java"), jdk.java());
    }

    @Test
    void aRuntimeWithoutTheVectorApiIsNotSuitable() throws IOException {
        FakeJdk.install(folder.resolve("small"), "JAVA_VERSION=\"25\"\nMODULES=\"java.base java.logging\"\n");
        JdkHome jdk = JdkHome.read(folder.resolve("small")).orElseThrow();
        assertFalse(jdk.suitable());
        assertEquals("25 without jdk.incubator.vector at " + folder.resolve("small"), jdk.describe());
    }

    @Test
    void foldersThatHoldNoJavaAreNone() throws IOException {
        Path noLauncher = Files.createDirectory(folder.resolve("noLauncher"));
        Files.writeString(noLauncher.resolve("release"), "JAVA_VERSION=\"25\"\n");
        FakeJdk.install(folder.resolve("noVersion"), "IMPLEMENTOR=\"nobody\"\n");
        FakeJdk.install(folder.resolve("noRelease"), "JAVA_VERSION=\"25\"\n");
        Files.delete(folder.resolve("noRelease/release"));

        assertFalse(JdkHome.read(noLauncher).isPresent());
        assertFalse(JdkHome.read(folder.resolve("noVersion")).isPresent());
        assertFalse(JdkHome.read(folder.resolve("noRelease")).isPresent());
        assertFalse(JdkHome.read(folder.resolve("missing")).isPresent());
    }
}
