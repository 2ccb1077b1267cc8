package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Tensor;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;

/// Gradients by parameter and by leaf variable; they add up over several backward passes and live until {@link #close()}.
public final class Gradients implements AutoCloseable {
    private final Backend backend;
    private final Map<Object, Tensor> table = new IdentityHashMap<>();
    private final SequencedSet<Parameter> parameters = new LinkedHashSet<>();

    public Gradients(Backend backend) {
        this.backend = backend;
    }

    /// The gradient of a parameter; empty if nothing that was differentiated depends on it.
    public Optional<Tensor> of(Parameter p) {
        return Optional.ofNullable(table.get(p));
    }

    /// The gradient of a leaf variable ({@link Tape#input}); empty if nothing that was differentiated depends on it.
    public Optional<Tensor> of(Var leaf) {
        return Optional.ofNullable(table.get(leaf.slot));
    }

    /// Parameters that have a gradient, in the order in which the first pass met them.
    public SequencedSet<Parameter> parameters() {
        return Collections.unmodifiableSequencedSet(new LinkedHashSet<>(parameters));
    }

    /// Adds a gradient that was computed elsewhere.
    ///
    /// @param gradient shaped as the parameter
    /// @throws IllegalArgumentException if it is not
    public void add(Parameter p, Tensor gradient) {
        if (!gradient.shape().equals(p.spec().shape())) {
            throw new IllegalArgumentException("gradients: that of '" + p.name() + "' must be " + p.spec().shape() + ", got " + gradient.shape());
        }
        add((Object) p, gradient);
    }

    /// Adds a gradient, in place where nobody else holds the sum so far.
    void add(Object slot, Tensor gradient) {
        Tensor sum = table.get(slot);
        if (sum == null) {
            put(slot, gradient);
            return;
        }
        double[] ones = {1, 1};
        if (sum.storage().holders() == 1) {
            backend.linearCombination(0, ones, new Tensor[] {sum, gradient}, sum);
        } else {
            Tensor fresh = backend.empty("gradient", sum.spec());
            backend.linearCombination(0, ones, new Tensor[] {sum, gradient}, fresh);
            sum.storage().release("adding to a gradient");
            put(slot, fresh);
        }
    }

    private void put(Object slot, Tensor gradient) {
        gradient.storage().retain();
        table.put(slot, gradient);
        if (slot instanceof Parameter p) {
            parameters.add(p);
        }
    }

    /// Hands over the gradient of a slot: the caller releases its storage. `null` if there is none.
    Tensor take(Object slot) {
        return table.remove(slot);
    }

    /// Frees all gradients; new ones may be added afterwards.
    public void clear() {
        table.values().forEach(t -> t.storage().release("clearing gradients"));
        table.clear();
        parameters.clear();
    }

    @Override public void close() {
        clear();
    }
}
