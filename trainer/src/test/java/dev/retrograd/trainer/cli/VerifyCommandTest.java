package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyCommandTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(Object... arguments) {
        List<String> line = Arrays.stream(arguments).map(Object::toString).toList();
        return new Main().commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(line.toArray(String[]::new));
    }

    private String lastLine() {
        return out.toString().strip().lines().toList().getLast();
    }

    @Test void countsWhatPassed() {
        assertEquals(ExitCode.DONE, run("verify", Golden.path("rng"), Golden.path("optim")), err::toString);
        assertEquals("115 passed, 0 failed", lastLine());
        assertTrue(out.toString().lines().anyMatch(l -> l.matches("adamw +p1\\.exp_avg +\\d\\.\\de-\\d\\d +2\\.0e-05 ok")), out::toString);
        assertEquals("", err.toString());
    }

    @Test void failsWithExitCode1IfAnythingFails(@TempDir Path folder) throws IOException {
        Files.copy(Golden.path("rng/reference.safetensors"), folder.resolve("reference.safetensors"));
        Files.writeString(folder.resolve("checks.json"), """
                {"format": 1, "checks": [
                  {"kind": "torch-random", "stream": "rand.s0.n40", "expect": {"values": {"tensor": "rand.s0.n40", "exact": true}}},
                  {"kind": "torch-random", "stream": "rand.s0.n40", "expect": {"values": {"tensor": "rand.s42.n40", "exact": true}}},
                  {"kind": "horoscope", "expect": {"score": {"tensor": "rand.s0.n40", "exact": true}}}]}""");
        assertEquals(ExitCode.FAILED, run("verify", folder));
        assertEquals("1 passed, 2 failed", lastLine());
        assertTrue(out.toString().contains("FAIL (rand.s42.n40)"), out::toString);
        assertTrue(out.toString().contains("FAIL (unknown kind 'horoscope', not one of "), out::toString);
    }

    @Test void aFolderThatIsNoneIsOneSentence(@TempDir Path folder) {
        assertEquals(ExitCode.FAILED, run("verify", folder));
        assertEquals("retrograd: " + folder + ": a folder of reference tensors with a checks.json is required, but there is none", err.toString().strip());
        assertEquals(ExitCode.USAGE, run("verify"));
    }
}
