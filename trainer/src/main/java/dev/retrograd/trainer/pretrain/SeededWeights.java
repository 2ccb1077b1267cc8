package dev.retrograd.trainer.pretrain;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The weights of a model that is yet to be trained: whatever a model asks for is created, trainable, as a pure function of seed and name.
///
/// As PyTorch's layers start: matrices, kernels and their biases uniform in ±1/√fan-in, scales of norms 1 and shifts 0. Embeddings are normal
/// with a deviation of 0.3, CLIP's logit scale is ln(1/0.07). It owns its parameters; {@link #close()} frees them.
final class SeededWeights implements Weights, AutoCloseable {
    private static final String WEIGHT = ".weight";
    private static final String VAE_ATTENTION = "mid_block.attentions.0.to_";
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
        return create(name, s, s);
    }

    @Override public Parameter kernel(String name, int out, int in, int height, int width) {
        return create(name, Shape.of(out, height, width, in), Shape.of(out, in, height, width));
    }

    /// In files it is a 1×1 kernel in a UNet, and in a VAE's attention, under the names that diffusers gives its layers since 0.18, a matrix.
    @Override public Parameter pointwise(String name, int out, int in) {
        Shape matrix = Shape.of(out, in);
        return create(name, matrix, name.contains(VAE_ATTENTION) ? matrix : Shape.of(out, in, 1, 1));
    }

    /// The values that a weight starts with.
    ///
    /// @param fanIns inputs of each module whose weight was asked for before its bias; updated
    static float[] initial(long seed, String name, Shape shape, Map<String, Integer> fanIns) {
        int n = Math.toIntExact(shape.elements());
        if (name.endsWith("bias")) {
            int fanIn = fanIns.getOrDefault(module(name), 0);
            return fanIn == 0 ? new float[n] : uniform(seed, name, n, fanIn);
        }
        if (name.endsWith("embedding") || name.endsWith("embedding.weight")) {
            return normal(seed, name, n);
        }
        float[] same = new float[n];
        if (name.endsWith("logit_scale")) {
            Arrays.fill(same, LOGIT_SCALE);
            return same;
        }
        if (shape.rank() == 1) {
            fanIns.put(module(name), 0);
            Arrays.fill(same, 1);
            return same;
        }
        int fanIn = n / shape.dim(0);
        fanIns.put(module(name), fanIn);
        return uniform(seed, name, n, fanIn);
    }

    /// Products in each sum of a layer, by its name without `.weight`; 0 for vectors. A file has biases before weights, which must know it from the start.
    static Map<String, Integer> fanIns(Map<String, Shape> shapes) {
        Map<String, Integer> fanIns = new HashMap<>();
        shapes.forEach((weight, shape) -> {
            if (weight.endsWith(WEIGHT)) {
                fanIns.put(module(weight), shape.rank() == 1 ? 0 : Math.toIntExact(shape.elements() / shape.dim(0)));
            }
        });
        return fanIns;
    }

    private static String module(String name) {
        return name.substring(0, Math.max(0, name.lastIndexOf('.')));
    }

    private static RandomStream stream(long seed, String name) {
        return RandomStream.keyed(seed, name.chars().asLongStream().toArray());
    }

    private static float[] uniform(long seed, String name, int n, int fanIn) {
        float[] values = stream(seed, name).rand(n);
        float bound = (float) (1 / Math.sqrt(fanIn));
        for (int i = 0; i < n; i++) {
            values[i] = bound * (2 * values[i] - 1);
        }
        return values;
    }

    private static float[] normal(long seed, String name, int n) {
        float[] values = stream(seed, name).randn(n);
        for (int i = 0; i < n; i++) {
            values[i] *= EMBEDDING_STD;
        }
        return values;
    }

    private Parameter create(String name, Shape here, Shape inFile) {
        if (parameters.containsKey(name)) {
            throw new IllegalStateException("weights: each must be asked for once, got '" + name + "' again");
        }
        try (Scope _ = backend.memory().open(name)) {
            Parameter p = new Parameter(name, backend.floats(name, here, initial(seed, name, here, fanIns)), inFile, true);
            parameters.put(name, p);
            return p;
        }
    }

    @Override public void close() {
        parameters.values().forEach(Parameter::close);
        parameters.clear();
    }
}
