package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// An exponential moving average of weights, smoother than the weights themselves: `average = d·average + (1 − d)·weight` after each update.
///
/// The decay d grows with the number of updates, so that the start is forgotten: 0 at the first, then `min(decay, n/(n + 9))` at the n-th.
/// Parity: diffusers `EMAModel` with its defaults. Holds one float32 tensor per parameter until {@link #close()}.
public final class WeightEma implements AutoCloseable {
    private static final String UPDATES = "ema.updates";

    private final Backend backend;
    private final double decay;
    private final List<Parameter> parameters;
    private final List<Tensor> averages;
    private long updates;
    private boolean swappedIn;
    private boolean closed;

    /// Starts from the weights as they are.
    ///
    /// @param parameters trainable, float32, each name once
    /// @param decay in [0,1)
    public WeightEma(Backend backend, List<Parameter> parameters, double decay) {
        if (!(decay >= 0 && decay < 1)) {
            throw new IllegalArgumentException("ema: decay must be in [0,1), got " + decay);
        }
        this.backend = backend;
        this.decay = decay;
        this.parameters = Owned.requireTrainable("ema", parameters);
        averages = this.parameters.stream().map(p -> Owned.zeros(backend, p.name() + ".ema", p)).toList();
        for (int i = 0; i < averages.size(); i++) {
            backend.convert(this.parameters.get(i).value(), averages.get(i));
        }
    }

    /// The decay of the n-th update, counted from 1.
    double decayAt(long n) {
        return n <= 1 ? 0 : Math.min(decay, n / (n + 9.0));
    }

    /// Takes the present weights into the average; after each step of the optimiser.
    ///
    /// @throws IllegalStateException while the averages are swapped in
    public void update() {
        requireSwappedOut("updated");
        backend.average(decayAt(++updates), averages, parameters.stream().map(Parameter::value).toList());
    }

    /// Puts the averages into the parameters, until what it returns is closed: then the weights are back, bit for bit.
    ///
    /// ```java
    /// try (WeightEma.Swap _ = ema.swapIn()) {
    ///     sample();
    /// }
    /// ```
    /// @throws IllegalStateException if they are in already
    public Swap swapIn() {
        requireSwappedOut("swapped in");
        swap();
        swappedIn = true;
        return new Swap();
    }

    /// The time during which the averages stand in for the weights.
    public final class Swap implements AutoCloseable {
        private boolean back;

        private Swap() {
        }

        @Override public void close() {
            if (!back) {
                back = true;
                swappedIn = false;
                swap();
            }
        }
    }

    private void swap() {
        for (int i = 0; i < averages.size(); i++) {
            try (Scope _ = backend.memory().open("ema swap")) {
                Tensor weight = parameters.get(i).value();
                Tensor held = backend.empty("held", weight.spec());
                backend.convert(weight, held);
                backend.convert(averages.get(i), weight);
                backend.convert(held, averages.get(i));
            }
        }
    }

    private void requireSwappedOut(String what) {
        if (swappedIn) {
            throw new IllegalStateException("ema: the averages must be swapped out before they are " + what);
        }
    }

    /// The state by name, to be saved: `NAME.ema` for each parameter, the averages themselves, and `ema.updates`, an `I64 []` in the
    /// innermost open scope.
    ///
    /// @throws IllegalStateException while the averages are swapped in
    public SequencedMap<String, Tensor> state() {
        requireSwappedOut("saved");
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        averages.forEach(t -> state.put(t.name(), t));
        Tensor n = backend.empty(UPDATES, new Spec(Shape.of(), DType.I64));
        backend.upload(MemorySegment.ofArray(new long[] {updates}), n);
        state.put(UPDATES, n);
        return state;
    }

    /// Takes over a state that {@link #state()} gave; copies it, but for averages that are this one's own tensors.
    ///
    /// @throws IllegalArgumentException if a name is missing or unknown, or a shape or type differs; nothing is changed then
    public void restore(Map<String, Tensor> saved) {
        try (Scope _ = backend.memory().open("ema restore")) {
            SequencedMap<String, Tensor> own = state();
            Owned.requireNames("ema", own.keySet(), saved.keySet());
            own.forEach((name, t) -> Owned.requireSpec("ema", name, t, saved.get(name)));
            averages.forEach(t -> Owned.take(backend, saved.get(t.name()), t));
            long[] n = new long[1];
            backend.download(saved.get(UPDATES), MemorySegment.ofArray(n));
            updates = n[0];
        }
    }

    /// Frees the averages.
    ///
    /// @throws IllegalStateException while the averages are swapped in
    @Override public void close() {
        if (!closed) {
            requireSwappedOut("freed");
            closed = true;
            averages.forEach(t -> t.storage().release("closing ema"));
        }
    }
}
