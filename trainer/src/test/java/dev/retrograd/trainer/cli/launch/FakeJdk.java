package dev.retrograd.trainer.cli.launch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A folder that looks like a Java installation.
final class FakeJdk {

    private FakeJdk() {}

    static Path install(Path home, String release) throws IOException {
        Path bin = Files.createDirectories(home.resolve("bin"));
        Path java = Files.createFile(bin.resolve("java"));
        if (!java.toFile().setExecutable(true)) {
            throw new IOException(java + ": must become executable");
        }
        Files.writeString(home.resolve("release"), release);
        return home;
    }

    static Path installVersion(Path home, String version) throws IOException {
        return install(home, "JAVA_VERSION=\"" + version + "\"\n");
    }
}
