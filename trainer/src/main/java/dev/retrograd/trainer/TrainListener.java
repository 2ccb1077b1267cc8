package dev.retrograd.trainer;

import java.nio.file.Path;

/// Is told how a run goes, to show it.
public interface TrainListener {

    /// @param total images × steps of what begins now: an update or a grid of samples
    void began(String what, long total);

    /// @param done images × steps of it done so far
    void progressed(long done);

    /// One update is done.
    void updated(Metrics metrics, int updates);

    /// A grid of samples after so many updates is written.
    default void sampled(int updates, Path picture) {
    }

    /// One line for the user.
    void said(String line);
}
