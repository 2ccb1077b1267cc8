package dev.retrograd.trainer;

import dev.retrograd.core.ArenaPlan;
import dev.retrograd.trainer.method.MicroBatch;

/// Where the tensors of an update's micro-batches lie in one block of their device's memory, whichever device computes which of them.
@FunctionalInterface
interface Places {
    /// To be asked once for each micro-batch that is about to be computed.
    ///
    /// @param first whether no other went into the same gradients before
    ArenaPlan of(MicroBatch batch, boolean first);
}
