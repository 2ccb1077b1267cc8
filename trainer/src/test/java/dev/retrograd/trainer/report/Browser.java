package dev.retrograd.trainer.report;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A browser without a window, for pages whose scripts are tested.
///
/// @param program its name on the path
public record Browser(String program) {
    private static final List<String> PROGRAMS = List.of("chromium", "chromium-browser", "google-chrome");

    /// The one that is installed, if there is one.
    public static Optional<Browser> installed() {
        return PROGRAMS.stream().filter(name -> Stream.of(System.getenv("PATH").split(":")).anyMatch(p -> Files.isExecutable(Path.of(p, name)))).findFirst().map(Browser::new);
    }

    /// The page as it is after its scripts ran.
    ///
    /// @param temp folder for what the browser writes
    public String rendered(Path page, int width, Path temp) throws IOException, InterruptedException {
        Path out = temp.resolve("dom-" + width + ".html");
        Process process = new ProcessBuilder(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--user-data-dir=" + temp.resolve("profile"), "--window-size=" + width + ",1600", "--dump-dom",
                page.toUri().toString()).redirectOutput(out.toFile()).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        assertTrue(process.waitFor(90, TimeUnit.SECONDS), "the browser must end");
        return Files.readString(out);
    }
}
