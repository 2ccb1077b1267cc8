package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.testing.RandomValues;
import java.util.LinkedHashMap;
import java.util.Map;

/// Weights of whatever shape is asked for, trainable, a function of their names: the same on every backend. Activations keep a size of about 1.
public final class RandomWeights implements Weights, AutoCloseable {
    private static final double SPREAD = 0.2;

    private final Backend backend;
    final Map<String, Parameter> parameters = new LinkedHashMap<>();

    public RandomWeights(Backend backend) {
        this.backend = backend;
    }

    /// By name, as asked for.
    public Map<String, Parameter> parameters() {
        return parameters;
    }

    @Override public boolean has(String name) {
        return !name.contains("query") && !name.contains("key") && !name.contains("value") && !name.contains("proj_attn");
    }

    @Override public Parameter get(String name, int... shape) {
        return parameter(name, Shape.of(shape), Shape.of(shape));
    }

    @Override public Parameter kernel(String name, int out, int in, int height, int width) {
        return parameter(name, Shape.of(out, in, height, width), Shape.of(out, height, width, in));
    }

    @Override public Parameter pointwise(String name, int out, int in) {
        return parameter(name, Shape.of(out, in, 1, 1), Shape.of(out, in));
    }

    private Parameter parameter(String name, Shape inFile, Shape here) {
        float[] values = new RandomValues(name.hashCode()).normal(here.elements());
        boolean vector = here.rank() == 1;
        double scale = vector ? SPREAD : 1 / Math.sqrt((double) here.elements() / here.dim(0));
        double shift = vector && name.endsWith("weight") ? 1 : 0;
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (shift + scale * values[i]);
        }
        try (Scope _ = backend.memory().open(name)) {
            Parameter p = new Parameter(name, backend.floats(name, here, values), inFile, true);
            parameters.put(name, p);
            return p;
        }
    }

    @Override public void close() {
        parameters.values().forEach(Parameter::close);
    }
}
