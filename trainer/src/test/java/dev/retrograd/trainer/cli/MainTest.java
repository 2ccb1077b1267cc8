package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

class MainTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Command(name = "probe")
    private static final class Probe implements Callable<Integer> {

        private final Callable<Integer> body;

        @Option(names = "--learning-rate", paramLabel = "RATE")
        private double learningRate = 1;

        private Probe(Callable<Integer> body) {
            this.body = body;
        }

        @Override
        public Integer call() throws Exception {
            assertTrue(learningRate > 0);
            return body.call();
        }
    }

    private int run(Callable<Integer> body, String... args) {
        CommandLine commandLine = new Main().commandLine();
        commandLine.addSubcommand(new CommandLine(new Probe(body)));
        Main.handleErrors(commandLine);
        return commandLine.setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(args);
    }

    private String failure(Exception e, String... args) {
        assertEquals(ExitCode.FAILED, run(() -> {
            throw e;
        }, args));
        return err.toString();
    }

    @Test
    void noArgumentsPrintAShortUsage() {
        assertEquals(ExitCode.DONE, run(() -> 0));
        assertTrue(out.toString().startsWith("Usage: retrograd [-hvV] COMMAND"), out.toString());
        assertEquals("", err.toString());
    }

    @Test
    void infoNamesTheVectorSpeciesAndTheDevices() {
        assertEquals(ExitCode.DONE, run(() -> 0, "info"));
        assertTrue(out.toString().matches("(?s)version .*java +25.*devices  cpu \\(\\d+ cores, vectors of \\d+ × float32, \\d+ bits; products by [^)]+(\\([^)]*\\))?\\): f32\\R {9}.*cuda:.*\\R"),
                out.toString());
    }

    @Test
    void unknownOptionIsNamedWithTheNearestOne() {
        assertEquals(ExitCode.USAGE, run(() -> 0, "probe", "--lerning-rate", "1"));
        assertEquals("retrograd probe: unknown option '--lerning-rate'; did you mean --learning-rate?\n", err.toString());
    }

    @Test
    void unknownCommandIsNamed() {
        assertEquals(ExitCode.USAGE, run(() -> 0, "prob"));
        assertTrue(err.toString().startsWith("retrograd: unknown command 'prob'; did you mean probe"), err.toString());
    }

    @Test
    void impossibleValueIsNamed() {
        assertEquals(ExitCode.USAGE, run(() -> 0, "probe", "--learning-rate", "fast"));
        assertEquals("retrograd probe: invalid value for option '--learning-rate': 'fast' is not a double; "
                + "see retrograd probe --help\n", err.toString());
    }

    @Test
    void commandsReturnTheirExitCode() {
        assertEquals(ExitCode.FAILED, run(() -> ExitCode.FAILED, "probe"));
        assertEquals("", err.toString());
    }

    @Test
    void expectedFailuresAreOneSentence() {
        assertEquals("retrograd: truncation: k must be 1..50 (steps), got 60\n",
                failure(new IllegalArgumentException("truncation: k must be 1..50 (steps), got 60"), "probe"));
    }

    @Test
    void defectsSaySoAndTheStackTraceIsAskedFor() {
        assertEquals("retrograd: unexpected java.lang.ArithmeticException: / by zero; run it again with --verbose for the stack trace\n",
                failure(new ArithmeticException("/ by zero"), "probe"));
        assertTrue(failure(new ArithmeticException("/ by zero"), "probe", "--verbose").contains("\tat " + MainTest.class.getName()));
    }

    @Test
    void filesAreNamedWithTheReason() {
        assertEquals("a.bin: no such file or folder", Errors.describe(new NoSuchFileException("a.bin")));
        assertEquals("a.bin: permission denied", Errors.describe(new UncheckedIOException(new AccessDeniedException("a.bin"))));
        assertEquals("a.bin: no space left on device",
                Errors.describe(new FileSystemException("a.bin", null, "No space left on device")));
        assertEquals("first second", Errors.describe(new IOException("first\n  second")));
    }
}
