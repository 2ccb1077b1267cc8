package dev.retrograd.autograd;

/// An explicit piece of the forward computation; see {@link Tape#segment}.
public final class Segment {
    private Segment() {
    }

    /// What a segment computes, from fresh variables that stand for its inputs. It may capture parameters and constants, but no recorded variable.
    @FunctionalInterface
    public interface Body {
        Var[] run(Var... in);
    }

    /// What the tape keeps of a segment until backward.
    public enum Retention {
        /// What every operator inside saves.
        STORE,
        /// The segment's inputs only; it runs again, recording, when the backward pass arrives.
        RECOMPUTE
    }

    /// Chooses the retention of each segment.
    @FunctionalInterface
    public interface Policy {
        Policy STORE_ALL = _ -> Retention.STORE;
        Policy RECOMPUTE_ALL = _ -> Retention.RECOMPUTE;

        /// @param path names of the open segments, outermost first, joined by `/`: `step 12/mid_block`
        Retention of(String path);
    }
}
