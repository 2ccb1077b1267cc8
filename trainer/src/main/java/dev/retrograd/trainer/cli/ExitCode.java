package dev.retrograd.trainer.cli;

/// What the process tells its caller.
///
/// Wrong usage is whatever other flags or settings would mend: an unknown flag, key or command, and a value that is impossible by itself,
/// beside other settings or for this model (`--steps 0`, `--truncation 'fixed(60)'` of 50 steps, `--height 100`), from the command line or
/// from `--config`. A file that is missing, damaged or does not fit, a folder that is in use, a full disk are failures.
public final class ExitCode {

    /// Everything asked for was done.
    public static final int DONE = 0;

    /// Something went wrong; one sentence on the error stream says what.
    public static final int FAILED = 1;

    /// The command line or the settings file asks for something impossible; one sentence names the flag or key.
    public static final int USAGE = 2;

    /// Ctrl-C or SIGTERM; `train` has saved its state, `sample` has written nothing. (A SIGTERM while the JVM still starts ends it with its own 143.)
    public static final int INTERRUPTED = 130;

    private ExitCode() {}
}
