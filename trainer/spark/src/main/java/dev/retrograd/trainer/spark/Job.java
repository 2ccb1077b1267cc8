package dev.retrograd.trainer.spark;

import dev.retrograd.trainer.Computed;
import dev.retrograd.trainer.method.MicroBatch;
import java.io.Serializable;
import java.util.Optional;
import java.util.Set;

/// What a driver and its executors send each other.
final class Job {
    private Job() {
    }

    /// What all tasks of a job share.
    ///
    /// @param settings of the run, as JSON
    /// @param recomputed paths of segments; `null` for the usual ones
    record Shared(String settings, int update, float[][] weights, Set<String> recomputed) implements Serializable {
        Optional<Set<String>> plan() {
            return Optional.ofNullable(recomputed);
        }
    }

    /// @param number of the micro-batch in its update
    record Task(int number, MicroBatch batch) implements Serializable {
    }

    /// @param units of work that it was
    record Result(int number, Computed computed, long units) implements Serializable {
    }
}
