package dev.retrograd.trainer.check;

/// What one check of a device found.
///
/// @param section `kernels bf16`, `model shapes bf16`, `training`, `full size`
/// @param name what was checked
/// @param detail figures, or what is wrong in one line
/// @param seconds that it took, comparison included
public record Finding(String section, String name, boolean passed, String detail, double seconds) {
    private static final double NANOS = 1e9;

    /// Does the check; whatever it throws is a finding too, so that the others go on.
    public static Finding of(String section, String name, Work work) {
        long start = System.nanoTime();
        String detail;
        boolean passed = false;
        try {
            detail = work.run();
            passed = true;
        } catch (AssertionError | RuntimeException e) {
            detail = oneLine(e);
        }
        return new Finding(section, name, passed, detail, (System.nanoTime() - start) / NANOS);
    }

    /// A check that gives figures, or throws what is wrong.
    @FunctionalInterface public interface Work {
        String run();
    }

    private static String oneLine(Throwable e) {
        String text = e instanceof AssertionError && e.getMessage() != null ? e.getMessage() : e.toString();
        return String.join(" ", text.strip().split("\\s*\\R\\s*"));
    }
}
