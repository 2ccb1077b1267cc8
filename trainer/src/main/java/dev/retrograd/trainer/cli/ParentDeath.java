package dev.retrograd.trainer.cli;

/// Ties this process to the launcher that started it: when the launcher is killed, this process is killed as well.
///
/// A SIGKILL gives the launcher no chance to tell anyone, so Linux is asked to (`prctl(2)`, PR_SET_PDEATHSIG). Nothing is lost by
/// dying at once: a run can be killed at any instant and resumed.
final class ParentDeath {

    /// Set by the launcher to its own process id, on Linux only.
    static final String PARENT_PROPERTY = "retrograd.parent";

    private static final int SIGKILL = 9;

    private ParentDeath() {}

    /// Follows the launcher named by [#PARENT_PROPERTY]; does nothing where there is none.
    ///
    /// @throws IllegalStateException if the kernel refuses
    static void follow() {
        Integer parent = Integer.getInteger(PARENT_PROPERTY);
        if (parent == null) {
            return;
        }
        if (Libc.setParentDeathSignal(SIGKILL) != 0) {
            throw new IllegalStateException("start: prctl(PR_SET_PDEATHSIG) must succeed, got an error");
        }
        // A parent that died before the call above will never be reported.
        if (Libc.parentPid() != parent) {
            Runtime.getRuntime().halt(ExitCode.FAILED);
        }
    }
}
