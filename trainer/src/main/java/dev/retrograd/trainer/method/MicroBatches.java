package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import java.util.List;

/// Has micro-batches computed, here or on several devices.
///
/// Each is computed by {@link Method#compute} with gradients of its own, and these are added up in the order of the list: the sum is the same bit
/// for bit wherever and in whichever order they were computed.
@FunctionalInterface
public interface MicroBatches {

    /// @param what is done, to be shown
    /// @param work units of work in all of them
    /// @param gradients the sum is added to
    /// @return the results, in the order of the micro-batches
    List<MicroBatch.Result> compute(List<MicroBatch> all, String what, long work, Gradients gradients);
}
