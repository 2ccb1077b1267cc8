package dev.retrograd.autograd.optim;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.DTypeException;
import dev.retrograd.core.Scope;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Tensor;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// Tensors that belong to an optimiser and to no scope, and what it requires of its parameters.
final class Owned {
    private Owned() {
    }

    /// A tensor of the parameter's shape, held by the caller alone, who releases it.
    static Tensor zeros(Backend b, String name, Parameter p) {
        try (Scope _ = b.memory().open(name)) {
            Tensor t = b.zeros(name, p.spec());
            t.storage().retain();
            return t;
        }
    }

    /// @throws IllegalArgumentException unless there are parameters, all trainable, each name once
    /// @throws DTypeException unless they are float32
    static List<Parameter> requireTrainable(String where, List<Parameter> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException(where + ": takes one trainable parameter or more, got none");
        }
        Set<String> names = new TreeSet<>();
        for (Parameter p : parameters) {
            if (!p.trainable()) {
                throw new IllegalArgumentException(where + ": takes trainable parameters, got frozen " + p);
            }
            if (p.value().storage().readOnly()) {
                throw new IllegalArgumentException(where + ": takes parameters that can be written to, got " + p + " in a mapped file");
            }
            if (p.value().dtype() != DType.F32) {
                throw new DTypeException(where + ": takes F32 parameters, got " + p);
            }
            if (!names.add(p.name())) {
                throw new IllegalArgumentException(where + ": each name must come once, got two '" + p.name() + "'");
            }
        }
        return List.copyOf(parameters);
    }

    /// @throws IllegalArgumentException unless the saved names are exactly the expected ones
    static void requireNames(String where, Set<String> expected, Set<String> saved) {
        requireNone(where + ": the saved state must hold '%s', got none%s", expected, saved);
        requireNone(where + ": the saved state must hold nothing but this optimiser's, got '%s'%s", saved, expected);
    }

    private static void requireNone(String message, Set<String> of, Set<String> without) {
        List<String> extra = of.stream().filter(n -> !without.contains(n)).sorted().collect(Collectors.toList());
        if (!extra.isEmpty()) {
            throw new IllegalArgumentException(message.formatted(extra.getFirst(), extra.size() == 1 ? "" : " and " + (extra.size() - 1) + " more"));
        }
    }

    /// @throws ShapeException if the saved tensor differs in shape or type
    static void requireSpec(String where, String name, Tensor own, Tensor saved) {
        if (!saved.spec().equals(own.spec())) {
            throw new ShapeException(where + ": saved '" + name + "' must be " + own.spec() + ", got " + saved.spec());
        }
    }

    /// Copies saved values, unless they are in place.
    static void take(Backend b, Tensor saved, Tensor own) {
        if (saved != own) {
            b.convert(saved, own);
        }
    }
}
