package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The weights of a model that is yet to be trained: whatever a model asks for is created, trainable, as a pure function of seed and name.
///
/// As PyTorch's layers start: matrices, kernels and their biases uniform in ±1/√fan-in, scales of norms 1 and shifts 0. Embeddings are normal
/// with a deviation of 0.3, CLIP's logit scale is ln(1/0.07). It owns its parameters; {@link #close()} frees them.
final class SeededWeights implements Weights, AutoCloseable {
    private static final float EMBEDDING_STD = 0.3f;
    private static final float LOGIT_SCALE = (float) Math.log(1 / 0.07);

    private final Backend backend;
    private final long seed;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    /// Inputs of the module whose weight came last; 0 of a norm. Its bias follows.
    private final Map<String, Integer> fanIns = new HashMap<>();

    SeededWeights(Backend backend, long seed) {
        this.backend = backend;
        this.seed = seed;
    }

    /// Everything created so far, by its name in files, in the order of creation.
    Map<String, Parameter> parameters() {
        return new LinkedHashMap<>(parameters);
    }

    /// Everything created so far.
    List<Parameter> all() {
        return new ArrayList<>(parameters.values());
    }

    @Override public boolean has(String name) {
        return parameters.containsKey(name);
    }

    @Override public Parameter get(String name, int... shape) {
        Shape s = Shape.of(shape);
        String module = module(name);
        if (name.endsWith("bias")) {
            int fanIn = fanIns.getOrDefault(module, 0);
            return fanIn == 0 ? create(name, s, s, new float[shape[0]]) : create(name, s, s, uniform(name, s, fanIn));
        }
        if (name.endsWith("embedding") || name.endsWith("embedding.weight")) {
            return create(name, s, s, normal(name, s));
        }
        if (name.endsWith("logit_scale")) {
            return create(name, s, s, LOGIT_SCALE);
        }
        if (s.rank() == 1) {
            fanIns.put(module, 0);
            float[] ones = new float[shape[0]];
            java.util.Arrays.fill(ones, 1);
            return create(name, s, s, ones);
        }
        fanIns.put(module, shape[1]);
        return create(name, s, s, uniform(name, s, shape[1]));
    }

    @Override public Parameter kernel(String name, int out, int in, int height, int width) {
        Shape here = Shape.of(out, height, width, in);
        fanIns.put(module(name), in * height * width);
        return create(name, here, Shape.of(out, in, height, width), uniform(name, here, in * height * width));
    }

    @Override public Parameter pointwise(String name, int out, int in) {
        Shape here = Shape.of(out, in);
        fanIns.put(module(name), in);
        return create(name, here, Shape.of(out, in, 1, 1), uniform(name, here, in));
    }

    private static String module(String name) {
        return name.substring(0, Math.max(0, name.lastIndexOf('.')));
    }

    private RandomStream stream(String name) {
        return RandomStream.keyed(seed, name.chars().asLongStream().toArray());
    }

    private float[] uniform(String name, Shape shape, int fanIn) {
        float[] values = stream(name).rand(Math.toIntExact(shape.elements()));
        float bound = (float) (1 / Math.sqrt(fanIn));
        for (int i = 0; i < values.length; i++) {
            values[i] = bound * (2 * values[i] - 1);
        }
        return values;
    }

    private float[] normal(String name, Shape shape) {
        float[] values = stream(name).randn(Math.toIntExact(shape.elements()));
        for (int i = 0; i < values.length; i++) {
            values[i] *= EMBEDDING_STD;
        }
        return values;
    }

    private Parameter create(String name, Shape here, Shape inFile, float... values) {
        if (parameters.containsKey(name)) {
            throw new IllegalStateException("weights: each must be asked for once, got '" + name + "' again");
        }
        try (Scope _ = backend.memory().open(name)) {
            Parameter p = new Parameter(name, backend.floats(name, here, values), inFile, true);
            parameters.put(name, p);
            return p;
        }
    }

    @Override public void close() {
        parameters.values().forEach(Parameter::close);
        parameters.clear();
    }
}
