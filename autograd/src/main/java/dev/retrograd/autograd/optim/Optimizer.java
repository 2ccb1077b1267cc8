package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.core.Tensor;
import java.util.Map;
import java.util.SequencedMap;

/// What turns gradients into changes of parameters, and remembers what that takes from one step to the next.
public sealed interface Optimizer extends AutoCloseable permits AdamW, SphericalMomentum {

    /// One step.
    ///
    /// @param learningRate 0 or more
    /// @param gradientScale `F32 []`, the factor of {@link GradientClip#apply}
    /// @throws IllegalStateException if a trainable parameter got no gradient; nothing is updated then
    void step(Gradients gradients, double learningRate, Tensor gradientScale);

    /// The state by name, to be saved: large tensors themselves, numbers in the innermost open scope.
    SequencedMap<String, Tensor> state();

    /// Takes over a state that {@link #state()} gave; copies it, but for tensors that are this optimiser's own.
    ///
    /// @throws IllegalArgumentException if a name is missing or unknown, or a shape or type differs; nothing is changed then
    void restore(Map<String, Tensor> saved);

    /// Frees what it holds.
    @Override void close();
}
