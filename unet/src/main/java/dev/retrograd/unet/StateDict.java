package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/// The weights of one model file on a backend, frozen: matrices and kernels rest in the backend's 16-bit activations' type, or where activations are
/// float32 in the type that the file has; vectors in float32.
///
/// It owns the parameters that it hands out; {@link #close()} frees them.
public final class StateDict implements Weights, AutoCloseable {
    private static final int KERNEL_RANK = 4;
    /// What rounds to infinity.
    private static final float F16_OVERFLOW = 65520;

    private final String file;
    private final TensorFile tensors;
    private final Backend backend;
    private final boolean mapped;
    private final Map<String, Parameter> parameters;

    /// @param file what messages call the file
    /// @param tensors stays open while weights are read; not closed here
    public StateDict(String file, TensorFile tensors, Backend backend) {
        this(file, tensors, backend, false, new LinkedHashMap<>());
    }

    /// Weights that are read where the file is mapped, as far as the backend can and they lie in it as they are needed.
    ///
    /// @param tensors stays open for as long as the weights live
    static StateDict mapped(String file, TensorFile tensors, Backend backend) {
        return new StateDict(file, tensors, backend, true, new LinkedHashMap<>());
    }

    private StateDict(String file, TensorFile tensors, Backend backend, boolean mapped, Map<String, Parameter> parameters) {
        this.file = file;
        this.tensors = tensors;
        this.backend = backend;
        this.mapped = mapped;
        this.parameters = parameters;
    }

    /// The same weights, read on from the file opened anew; whoever closes this one frees what that one reads.
    StateDict reopened(TensorFile again) {
        return new StateDict(file, again, backend, false, parameters);
    }

    public Backend backend() {
        return backend;
    }

    /// What was read so far, by its name in the file, in the order of reading.
    public Map<String, Parameter> parameters() {
        return Map.copyOf(parameters);
    }

    @Override public boolean has(String name) {
        return tensors.names().contains(name);
    }

    @Override public Parameter get(String name, int... shape) throws IOException {
        Shape wanted = Shape.of(shape);
        require(name, wanted, wanted);
        return load(name, wanted, wanted);
    }

    @Override public Parameter kernel(String name, int out, int in, int height, int width) throws IOException {
        Shape inFile = Shape.of(out, in, height, width);
        require(name, inFile, inFile);
        return load(name, inFile, Shape.of(out, height, width, in));
    }

    @Override public Parameter pointwise(String name, int out, int in) throws IOException {
        Shape inFile = Shape.of(out, in, 1, 1);
        Shape here = Shape.of(out, in);
        return load(name, require(name, inFile, here), here);
    }

    private Shape require(String name, Shape wanted, Shape alternative) throws ModelFormatException {
        if (!has(name)) {
            throw new ModelFormatException(file + ": tensor '" + name + "' is missing; the model's config.json asks for it, " + wanted);
        }
        Spec spec = tensors.spec(name);
        if (!spec.shape().equals(wanted) && !spec.shape().equals(alternative)) {
            throw new ModelFormatException(file + ": tensor '" + name + "' must be " + wanted + " after the model's config.json, got " + spec.shape());
        }
        if (!spec.dtype().floating()) {
            throw new ModelFormatException(file + ": tensor '" + name + "' must hold floating-point numbers, got " + spec.dtype());
        }
        return spec.shape();
    }

    private Parameter load(String name, Shape inFile, Shape here) throws IOException {
        Parameter known = parameters.get(name);
        if (known != null) {
            return known;
        }
        DType dtype = tensors.spec(name).dtype();
        DType rest = here.rank() > 1 ? matrixType(dtype) : DType.F32;
        try (Scope _ = backend.memory().open(name)) {
            Tensor raw = backend.computes() ? values(name, rest) : backend.empty(name, tensors.spec(name).with(rest));
            boolean relaid = inFile.rank() == KERNEL_RANK && here.rank() == KERNEL_RANK && here.dim(1) * here.dim(2) > 1;
            Tensor value = relaid ? backend.empty(name, new Spec(here, rest)) : raw.reshape(here);
            if (relaid) {
                backend.permute(raw, new int[] {0, 2, 3, 1}, value);
            }
            Parameter p = new Parameter(name, value, inFile, false);
            parameters.put(name, p);
            return p;
        }
    }

    private DType matrixType(DType inFile) {
        DType activations = backend.activations();
        return activations != DType.F32 ? activations : inFile == DType.F64 ? DType.F32 : inFile;
    }

    private Tensor values(String name, DType rest) throws IOException {
        Spec spec = tensors.spec(name);
        Tensor raw = rest == spec.dtype() && mapped ? backend.share(name, spec, tensors.bytes(name)) : tensors.load(backend, name, rest);
        requireFinite(name, rest);
        return raw;
    }

    private void requireFinite(String name, DType rest) throws IOException {
        boolean narrows = rest == DType.F16 && tensors.spec(name).dtype() != DType.F16;
        if (!narrows && tensors.finite(name)) {
            return;
        }
        float[] values = tensors.floats(name);
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new ModelFormatException(file + ": tensor '" + name + "' must be finite, got " + values[i] + " at element " + i);
            }
            if (rest == DType.F16 && Math.abs(values[i]) >= F16_OVERFLOW) {
                throw new ModelFormatException(file + ": tensor '" + name + "' must stay below 65520 to be held in F16, got " + values[i] + " at element " + i);
            }
        }
    }

    /// Insists that the model read every tensor of the file: one that is left over means another architecture than the configuration says.
    ///
    /// @param harmless names that files carry although no computation reads them
    /// @throws ModelFormatException naming the first few left over
    public void requireAllRead(Predicate<String> harmless) throws ModelFormatException {
        Set<String> left = new TreeSet<>(tensors.names());
        left.removeAll(parameters.keySet());
        left.removeIf(harmless);
        if (!left.isEmpty()) {
            throw new ModelFormatException(file + ": " + left.size() + " tensors are not part of the model that config.json describes: "
                    + String.join(", ", left.stream().limit(3).toList()) + (left.size() > 3 ? ", …" : ""));
        }
    }

    @Override public void close() {
        parameters.values().forEach(Parameter::close);
        parameters.clear();
    }
}
