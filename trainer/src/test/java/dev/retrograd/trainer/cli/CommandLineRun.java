package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What a command line did, in this process: its exit code and both streams.
record CommandLineRun(int code, String out, String err) {

    /// The least work that is a run: one image of 16×16 pixels, two steps, one update.
    private static final List<String> SMALLEST_TRAINING = List.of("--updates=1", "--batch-size=1", "--micro-batch-size=1", "--steps=2", "--prompt=a cat", "--height=16", "--width=16", "--diversity-prompts=0");

    static CommandLineRun of(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = new Main().execute(new PrintWriter(out), new PrintWriter(err), args);
        return new CommandLineRun(code, out.toString(), err.toString());
    }

    /// `train` with the least work, except where the arguments, `--name=value` each, say otherwise.
    static CommandLineRun train(String... args) {
        return of(smallest(args));
    }

    static String[] smallest(String... args) {
        List<String> all = new ArrayList<>(List.of("train"));
        SMALLEST_TRAINING.stream().filter(s -> Arrays.stream(args).noneMatch(a -> decides(name(a), name(s)))).forEach(all::add);
        all.addAll(List.of(args));
        return all.toArray(String[]::new);
    }

    private static boolean decides(String given, String setting) {
        return given.equals(setting) || given.equals("--config") || given.equals("--resume") || given.equals("--prompts") && setting.equals("--prompt");
    }

    private static String name(String argument) {
        return argument.split("=", 2)[0];
    }

    void succeeds() {
        assertEquals("", err);
        assertEquals(ExitCode.DONE, code);
    }

    /// One sentence on the error stream with all of these parts, and this code.
    void failsWith(int expected, String... parts) {
        assertEquals(1, err.lines().count(), "one line is required, got: " + err);
        assertFalse(err.contains("unexpected") || err.contains("Exception"), err);
        for (String part : parts) {
            assertTrue(err.contains(part), "the message must contain '" + part + "', got: " + err);
        }
        assertEquals(expected, code, err);
    }
}
