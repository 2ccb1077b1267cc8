package dev.retrograd.trainer.method;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/// How a reward becomes gradients of trainable weights. The training loop does all else: prompts, noise, the optimiser, checkpoints, pictures.
///
/// A method owns no weights. What it remembers from one update to the next is its {@link #state}, saved with every checkpoint.
public interface Method extends AutoCloseable {

    /// Computes one update's loss and adds its gradient.
    ///
    /// @return what the update is remembered by
    Outcome update(Update update, Gradients gradients);

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
