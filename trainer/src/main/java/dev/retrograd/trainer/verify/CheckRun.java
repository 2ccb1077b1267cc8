package dev.retrograd.trainer.verify;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.unet.Layout;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.StableDiffusion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One check while it is computed: its options, its inputs as tensors, and the results so far.
///
/// Files speak `[B,C,H,W]`, the program `[B,H,W,C]`: whatever has four axes is turned on its way in and out.
final class CheckRun {
    static final String GRADIENT = "grad:";
    static final String ACTIVATION = "act:";
    private static final int IMAGE_RANK = 4;

    private final Backend backend;
    private final Check check;
    private final ReferenceFolder folder;
    private final Models models;
    private final Map<String, Values> results = new HashMap<>();

    CheckRun(Backend backend, Check check, ReferenceFolder folder, Models models) {
        this.backend = backend;
        this.check = check;
        this.folder = folder;
        this.models = models;
    }

    Backend backend() {
        return backend;
    }

    ModelConfig options() {
        return check.options();
    }

    /// The number of denoising steps.
    int steps() throws IOException {
        return options().integer("steps");
    }

    /// A file that an option or input names.
    Path file(String name) throws IOException {
        return folder.resolve(name);
    }

    /// The folder of the check's model.
    Path modelFolder() throws IOException {
        return folder.resolve(check.model());
    }

    StableDiffusion model() throws IOException {
        return models.stableDiffusion(modelFolder());
    }

    // Inputs

    boolean has(String input) {
        return check.inputs().containsKey(input);
    }

    /// The inputs' names.
    Iterable<String> inputs() {
        return check.inputs().keySet();
    }

    /// What an input names: a tensor of the reference file, or a file.
    String named(String input) throws ModelFormatException {
        String name = check.inputs().get(input);
        if (name == null) {
            throw new ModelFormatException(check.kind() + ": input '" + input + "' is required, got " + check.inputs().keySet());
        }
        return name;
    }

    private SafeTensors reference() {
        return folder.reference();
    }

    Values values(String input) throws IOException {
        return Values.read(reference(), named(input));
    }

    double scalar(String input) throws IOException {
        Values v = values(input);
        if (v.numbers().length != 1) {
            throw new ModelFormatException(check.kind() + ": input '" + input + "' must be one number, got " + v.shape());
        }
        return v.numbers()[0];
    }

    /// An input as a float32 tensor, `[B,H,W,C]` if it has four axes.
    Tensor tensor(String input) throws IOException {
        Shape shape = reference().spec(named(input)).shape();
        return tensor(input, shape, reference().floats(named(input)));
    }

    /// Values as a tensor, turned if they have four axes.
    Tensor tensor(String name, Shape shape, float... values) {
        return shape.rank() == IMAGE_RANK ? Layout.channelsLast(backend, name, shape, values) : backend.floats(name, shape, values);
    }

    /// Entry `index` of an input's first axis, as {@link #tensor}.
    Tensor entry(String input, int index) throws IOException {
        Shape all = reference().spec(named(input)).shape();
        if (all.rank() < 2 || index >= all.dim(0)) {
            throw new ModelFormatException(check.kind() + ": input '" + input + "' must have more than " + index + " entries, got " + all);
        }
        int[] dims = all.toArray();
        Shape one = Shape.of(Arrays.copyOfRange(dims, 1, dims.length));
        int size = Math.toIntExact(one.elements());
        return tensor(input, one, Arrays.copyOfRange(reference().floats(named(input)), index * size, (index + 1) * size));
    }

    /// Rows of token ids, `[B,N]`.
    int[][] ids(String input) throws IOException {
        Shape shape = reference().spec(named(input)).shape();
        if (shape.rank() != 2) {
            throw new ModelFormatException(check.kind() + ": input '" + input + "' must be [B,N] ids, got " + shape);
        }
        long[] flat = reference().longs(named(input));
        int[][] rows = new int[shape.dim(0)][shape.dim(1)];
        for (int i = 0; i < flat.length; i++) {
            rows[i / shape.dim(1)][i % shape.dim(1)] = Math.toIntExact(flat[i]);
        }
        return rows;
    }

    // Results

    /// Whether a result of this name is expected.
    boolean wants(String name) {
        return check.expected().containsKey(name);
    }

    /// What is expected under a prefix, without it.
    List<String> wanted(String prefix) {
        return check.expected().keySet().stream().filter(n -> n.startsWith(prefix)).map(n -> n.substring(prefix.length())).toList();
    }

    Optional<Values> result(String name) {
        return Optional.ofNullable(results.get(name));
    }

    void put(String name, Values values) {
        if (wants(name)) {
            results.put(name, values);
        }
    }

    /// A tensor as files have it, `[B,C,H,W]` if it has four axes.
    void put(String name, Tensor t) {
        if (wants(name)) {
            results.put(name, channelsFirst(t));
        }
    }

    Values channelsFirst(Tensor t) {
        if (t.shape().rank() != IMAGE_RANK) {
            return Values.of(t.shape(), backend.toFloats(t));
        }
        return Values.of(Shape.of(t.dim(0), t.dim(3), t.dim(1), t.dim(2)), Layout.channelsFirst(backend, t));
    }

    /// A tensor that belongs to a parameter, in the shape that files give the parameter.
    void put(String name, Parameter p, Tensor t) {
        boolean kernel = t.shape().rank() == IMAGE_RANK;
        put(name, new Values(p.fileShape(), kernel ? channelsFirst(t).numbers() : Values.of(t.shape(), backend.toFloats(t)).numbers()));
    }

    // Gradients

    /// A tape that records everything and keeps the activations that are expected.
    Tape tape() {
        return new Tape(backend, Segment.Policy.STORE_ALL, (name, activation) -> {
            if (wants(ACTIVATION + name) && !results.containsKey(ACTIVATION + name)) {
                put(ACTIVATION + name, activation);
            }
        });
    }

    /// An input as a variable, differentiated if its gradient is expected.
    Var leaf(Tape tape, String input) throws IOException {
        return leaf(tape, input, tensor(input));
    }

    Var leaf(Tape tape, String name, Tensor value) {
        return wants(GRADIENT + name) ? tape.input(value) : tape.constant(value);
    }

    /// Puts the gradients of `Σ out·loss_weight` by those leaves and parameters of which they are expected.
    void differentiate(Var out, Map<String, Var> leaves, Map<String, Parameter> parameters) throws IOException {
        if (!wanted(GRADIENT).isEmpty()) {
            differentiate(out, tensor("loss_weight"), leaves, parameters);
        }
    }

    /// As above with the gradient of `out` given.
    void differentiate(Var out, Tensor dout, Map<String, Var> leaves, Map<String, Parameter> parameters) {
        if (wanted(GRADIENT).isEmpty()) {
            return;
        }
        try (Gradients gradients = new Gradients(backend)) {
            out.tape().backward(out, dout, gradients);
            leaves.forEach((name, leaf) -> gradients.of(leaf).ifPresent(g -> put(GRADIENT + name, g)));
            parameters.forEach((name, p) -> gradients.of(p).ifPresent(g -> put(GRADIENT + name, p, g)));
        }
    }
}
