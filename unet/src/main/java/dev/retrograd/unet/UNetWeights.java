package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;

/// All weights of a model's UNet as trainable ones: float32 copies, which stand in the place of the model's own until {@link #close()}.
///
/// The model's own stay as they are, in the types that they rest in. Matrices are rounded to the backend's activations' type as they are read,
/// so that small updates are not lost in 16 bits.
public final class UNetWeights implements AutoCloseable {
    private final Backend backend;
    private final List<Parameter> parameters;
    private final List<Tensor> own = new ArrayList<>();
    private final List<Tensor> trained = new ArrayList<>();

    /// Starts from the model's weights.
    public UNetWeights(StableDiffusion model) {
        backend = model.backend();
        parameters = model.unetParameters().values().stream().sorted(Comparator.comparing(Parameter::name)).toList();
        for (Parameter p : parameters) {
            own.add(held(p.value()));
            try (Scope _ = backend.memory().open(p.name())) {
                Tensor copy = backend.empty(p.name(), p.spec().with(DType.F32));
                backend.convert(p.value(), copy);
                trained.add(held(copy));
            }
            p.trainable(true);
        }
        put(trained);
    }

    private static Tensor held(Tensor t) {
        t.storage().retain();
        return t;
    }

    private void put(List<Tensor> values) {
        for (int i = 0; i < values.size(); i++) {
            parameters.get(i).value(values.get(i));
        }
    }

    /// All of them, by name.
    public List<Parameter> parameters() {
        return parameters;
    }

    /// Number of trainable values.
    public long elements() {
        return parameters.stream().map(p -> p.spec().shape()).mapToLong(Shape::elements).sum();
    }

    /// Runs code with the model's own weights in their place.
    public <T> T withOwn(Supplier<T> code) {
        put(own);
        try {
            return code.get();
        } finally {
            put(trained);
        }
    }

    /// The weights as a file holds them; valid while these are.
    ///
    /// @param source what messages call it
    public ParameterFile file(String source) {
        return new ParameterFile(source, backend, parameters);
    }

    /// Gives the model its own weights back, frozen, and frees the trained ones.
    @Override public void close() {
        if (trained.isEmpty()) {
            return;
        }
        put(own);
        parameters.forEach(p -> p.trainable(false));
        own.forEach(t -> t.storage().release("closing unet weights"));
        trained.forEach(t -> t.storage().release("closing unet weights"));
        own.clear();
        trained.clear();
    }
}
