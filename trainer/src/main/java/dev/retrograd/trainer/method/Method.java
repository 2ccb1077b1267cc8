package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.LongConsumer;

/// How a reward becomes gradients of trainable weights. The training loop does all else: prompts, noise, the optimiser, checkpoints, pictures.
///
/// A method owns no weights. What it remembers from one update to the next is its {@link #state}, saved with every checkpoint.
///
/// An update is divided into micro-batches: {@link #update} says which there are and what becomes of their results, {@link #compute} computes one, on
/// any replica of the model, and reads nothing of the state.
public interface Method extends AutoCloseable {

    /// Has one update's loss computed and its gradient added.
    ///
    /// @return what the update is remembered by
    Outcome update(Update update, MicroBatches batches, Gradients gradients);

    /// Computes a micro-batch that an update asked for, and adds its gradient.
    ///
    /// @param done hears how many further units of work are done
    MicroBatch.Result compute(Update update, MicroBatch batch, Gradients gradients, LongConsumer done);

    /// What decides how it goes on, by name, in the innermost open scope; empty if every update starts anew.
    default SequencedMap<String, Tensor> state() {
        return new LinkedHashMap<>();
    }

    /// Takes over a state that {@link #state} gave; copies it.
    ///
    /// @throws IllegalArgumentException if it is that of another method or of other settings
    default void restore(Map<String, Tensor> saved) {
        if (!saved.isEmpty()) {
            throw new IllegalArgumentException("method: the saved state must be empty, as this one keeps none, got '" + saved.keySet().iterator().next() + "'");
        }
    }

    @Override default void close() {
    }
}
