package dev.retrograd.rewards.clip;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Var;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A small network from image features of unit length to scores, on a backend: linear layers, with or without an activation between them.
///
/// It owns its weights; {@link #close()} frees them. Parity: the head of LAION's improved aesthetic predictor, where there is no activation.
public final class FeatureHead implements AutoCloseable {
    private final Backend backend;
    private final String name;
    private final HeadWeights.Activation activation;
    private final List<Parameter> parameters = new ArrayList<>();
    private final List<Linear> layers = new ArrayList<>();

    private FeatureHead(Backend backend, HeadWeights weights, boolean trainable) {
        this.backend = backend;
        name = weights.name();
        activation = weights.activation();
        for (int i = 0; i < weights.layers().size(); i++) {
            HeadWeights.Layer layer = weights.layers().get(i);
            String module = "layers." + i;
            Parameter weight = parameter(module + ".weight", Shape.of(layer.out(), layer.in()), trainable, layer.weight());
            Parameter bias = parameter(module + ".bias", Shape.of(layer.out()), trainable, layer.bias());
            layers.add(new Linear(module, weight, Optional.of(bias)));
        }
    }

    private Parameter parameter(String tensor, Shape shape, boolean trainable, float... values) {
        try (Scope _ = backend.memory().open(tensor)) {
            Parameter p = new Parameter(tensor, backend.floats(tensor, shape, values), trainable);
            parameters.add(p);
            return p;
        }
    }

    /// A head whose weights stay as they are.
    public static FeatureHead frozen(Backend backend, HeadWeights weights) {
        return new FeatureHead(backend, weights, false);
    }

    /// A head whose weights get gradients.
    public static FeatureHead trainable(Backend backend, HeadWeights weights) {
        return new FeatureHead(backend, weights, true);
    }

    /// What the reward is called.
    public String name() {
        return name;
    }

    /// Its weights, layer by layer, weight before bias.
    public List<Parameter> parameters() {
        return List.copyOf(parameters);
    }

    /// Scores feature vectors.
    ///
    /// @param features `[B,C]`
    /// @return `[B]`
    /// @throws ShapeException if their length is not that of the head
    public Var forward(Var features) {
        int width = layers.getFirst().inFeatures();
        if (features.shape().rank() != 2 || features.dim(1) != width) {
            throw new ShapeException("head '" + name + "': features must be [B," + width + "], got " + features.shape());
        }
        Var h = layers.getFirst().forward(features);
        for (Linear layer : layers.subList(1, layers.size())) {
            Var active = h;
            h = layer.forward(activation.function().map(active::apply).orElse(active));
        }
        return h.reshape(h.dim(0));
    }

    /// The weights as they are now.
    public HeadWeights weights() {
        List<HeadWeights.Layer> values = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            Linear layer = layers.get(i);
            values.add(new HeadWeights.Layer(layer.inFeatures(), layer.outFeatures(), backend.toFloats(parameters.get(2 * i).value()), backend.toFloats(parameters.get(2 * i + 1).value())));
        }
        return new HeadWeights(name, activation, values);
    }

    @Override public void close() {
        parameters.forEach(Parameter::close);
    }
}
