package dev.retrograd.unet.file;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.DType;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/// The tensors that a model would have on disk, without values: what its constructor asks for.
final class ShapeFile implements TensorFile {
    private final String source;
    private final Map<String, Spec> tensors;

    /// A model's constructor.
    @FunctionalInterface
    interface Model {
        Object of(Weights w) throws IOException;
    }

    private ShapeFile(String source, Map<String, Spec> tensors) {
        this.source = source;
        this.tensors = tensors;
    }

    /// @param dtype of all tensors
    static ShapeFile of(String source, DType dtype, Model model) throws IOException {
        try (PlanBackend throwaway = new PlanBackend("shapes", 0)) {
            Asked asked = new Asked(throwaway, dtype);
            model.of(asked);
            return new ShapeFile(source, asked.tensors);
        }
    }

    /// Gives whatever is asked for, and remembers it as files shape it.
    private record Asked(PlanBackend backend, DType dtype, Map<String, Spec> tensors) implements Weights {
        Asked(PlanBackend backend, DType dtype) {
            this(backend, dtype, new LinkedHashMap<>());
        }

        private Parameter give(String name, Shape inFile, Shape here) {
            tensors.put(name, new Spec(inFile, dtype));
            return new Parameter(name, backend.empty(name, new Spec(here, dtype)), inFile, false);
        }

        @Override public boolean has(String name) {
            return false;
        }

        @Override public Parameter get(String name, int... shape) {
            return give(name, Shape.of(shape), Shape.of(shape));
        }

        @Override public Parameter kernel(String name, int out, int in, int height, int width) {
            return give(name, Shape.of(out, in, height, width), Shape.of(out, height, width, in));
        }

        @Override public Parameter pointwise(String name, int out, int in) {
            return give(name, Shape.of(out, in, 1, 1), Shape.of(out, in));
        }
    }

    @Override public String source() {
        return source;
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        Spec spec = tensors.get(name);
        if (spec == null) {
            throw new ModelFormatException(source + ": tensor '" + name + "' is not part of the model");
        }
        return spec;
    }

    /// @throws ModelFormatException always: there are no values
    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        throw new ModelFormatException(source + ": has shapes only, asked for the values of '" + name + "'");
    }

    @Override public void close() {
    }
}
