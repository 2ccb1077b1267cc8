package dev.retrograd.trainer;

/// The user asked to stop in the middle of something that is not worth finishing first.
public final class StopRequested extends RuntimeException {
    private static final long serialVersionUID = 1;

    public StopRequested() {
        super("stopped on request", null, false, false);
    }
}
