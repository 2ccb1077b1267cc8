package dev.retrograd.trainer.cli;

/// What the process tells its caller.
public final class ExitCode {

    /// Everything asked for was done.
    public static final int DONE = 0;

    /// Something went wrong; one sentence on the error stream says what.
    public static final int FAILED = 1;

    /// The command line cannot be understood.
    public static final int USAGE = 2;

    /// Ctrl-C or SIGTERM; the state was saved.
    public static final int INTERRUPTED = 130;

    private ExitCode() {}
}
