package dev.retrograd.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The build's size rule, for the sources of every module: whoever opens a file should be able to read all of it.
class SourceSizeTest {

    private static final int MAX_LINES = 500;

    @Test
    void noSourceFileIsLongerThanTheLimit() throws IOException {
        List<Path> sources = sources(Golden.repository());
        assertTrue(sources.size() > 1, "found no sources below " + Golden.repository());
        List<String> tooLong = sources.stream()
                .filter(file -> lines(file) > MAX_LINES)
                .map(file -> file + ": at most " + MAX_LINES + " lines, got " + lines(file))
                .toList();
        assertEquals(List.of(), tooLong);
    }

    /// The `.java` and `.cu` files below `<module>/src`, build outputs left out.
    private static List<Path> sources(Path repository) throws IOException {
        try (Stream<Path> modules = Files.list(repository)) {
            return modules.map(module -> module.resolve("src"))
                    .filter(Files::isDirectory)
                    .flatMap(SourceSizeTest::walk)
                    .filter(file -> file.toString().endsWith(".java") || file.toString().endsWith(".cu"))
                    .toList();
        }
    }

    private static Stream<Path> walk(Path folder) {
        try {
            return Files.walk(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int lines(Path file) {
        try {
            return Files.readAllLines(file).size();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
