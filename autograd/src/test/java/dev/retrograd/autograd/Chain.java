package dev.retrograd.autograd;

import dev.retrograd.autograd.op.GroupNorm;
import dev.retrograd.autograd.op.Linear;
import dev.retrograd.autograd.op.LoraLinear;
import dev.retrograd.autograd.op.SumTo;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.Unary;
import dev.retrograd.core.testing.RandomValues;
import java.util.ArrayList;
import java.util.List;

/// A small model of what is trained: steps made of blocks, segments within segments, frozen and low-rank weights shared by all steps, a skip
/// connection, an input passed through, several results.
final class Chain implements AutoCloseable {
    static final int ROWS = 5;
    static final int CHANNELS = 6;
    static final int HIDDEN = 18;
    static final int RANK = 2;

    final List<Parameter> parameters = new ArrayList<>();
    private final Parameter up;
    private final Parameter down;
    private final Parameter gamma;
    private final Parameter beta;
    private final Parameter a;
    private final Parameter b;
    private final RandomValues random = new RandomValues(5);

    Chain(Backend backend) {
        up = add(backend, "up", false, HIDDEN, CHANNELS);
        down = add(backend, "down", false, CHANNELS, HIDDEN);
        gamma = add(backend, "gamma", false, CHANNELS);
        beta = add(backend, "beta", true, CHANNELS);
        a = add(backend, "lora_A", true, RANK, CHANNELS);
        b = add(backend, "lora_B", true, HIDDEN, RANK);
    }

    private Parameter add(Backend backend, String name, boolean trainable, int... dims) {
        try (Scope _ = backend.memory().open("load")) {
            Shape shape = Shape.of(dims);
            Parameter p = new Parameter(name, backend.floats(name, shape, random.normal(shape.elements())), trainable);
            parameters.add(p);
            return p;
        }
    }

    List<Parameter> trainable() {
        return parameters.stream().filter(Parameter::trainable).toList();
    }

    /// `[1,ROWS,CHANNELS]`
    static Tensor latent(Backend backend) {
        return backend.floats("latent", Shape.of(1, ROWS, CHANNELS), new RandomValues(6).normal((long) ROWS * CHANNELS));
    }

    /// Two results: the next latent, and the first input again.
    private Var[] block(Var... in) {
        Tape t = in[0].tape();
        Var h = in[0].apply(new GroupNorm(3, 1e-5, true), t.parameter(gamma), t.parameter(beta));
        h = h.apply(new LoraLinear(0.5), t.parameter(up), t.parameter(a), t.parameter(b)).apply(Unary.GELU);
        return new Var[] {h.apply(new Linear(), t.parameter(down)).plus(in[1]), in[0]};
    }

    Var step(Tape t, int step, Var x) {
        return t.segment1("step " + step, in -> {
            Var[] first = t.segment("block 0", this::block, in[0], in[0]);
            Var[] second = t.segment("block 1", this::block, first[0], first[1]);
            return second[0].affine(0.1, 0).plus(in[0]).plus(second[1]);
        }, x);
    }

    /// A scalar after so many steps.
    Var loss(Tape t, int steps, Var x) {
        Var y = x;
        for (int i = 0; i < steps; i++) {
            y = step(t, i, y);
        }
        return t.segment1("reward", in -> in[0].times(in[0]).apply(SumTo.all()), y);
    }

    @Override public void close() {
        parameters.forEach(Parameter::close);
    }
}
