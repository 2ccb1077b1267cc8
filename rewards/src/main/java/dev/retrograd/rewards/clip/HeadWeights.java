package dev.retrograd.rewards.clip;

import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Shape;
import dev.retrograd.core.ShapeException;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Unary;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The weights of a small network from an image's features to its score, on the host.
///
/// As a file: safetensors, or a PyTorch checkpoint as LAION's is, with `layers.N.weight` `[out,in]` and `layers.N.bias` `[out]`, one pair for each linear layer with N ascending (gaps are allowed: LAION's
/// aesthetic predictor numbers its dropout layers too), the last with one output. Metadata: `activation`, what runs between linear layers (`none`, which is
/// LAION's, where it is absent), and `name`, what the reward is called. Nothing else may be in it. How features and scores were standardised for the fit is
/// contained in the first and the last layer, so that the file needs no more than the features of unit length.
///
/// @param name what the reward is called: 1 to 64 letters, digits, spaces and `._+-`
public record HeadWeights(String name, Activation activation, List<Layer> layers) {
    private static final Pattern TENSOR = Pattern.compile("layers\\.(0|[1-9]\\d{0,2})\\.(weight|bias)");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}");
    private static final String UNNAMED = "fitted";

    /// What runs between linear layers.
    public enum Activation {
        NONE(null), RELU(Unary.RELU), GELU(Unary.GELU), SILU(Unary.SILU), TANH(Unary.TANH);

        private final Optional<Unary> function;

        Activation(Unary function) {
            this.function = Optional.ofNullable(function);
        }

        Optional<Unary> function() {
            return function;
        }

        /// What files call it.
        String id() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// A linear layer, `y = weight·x + bias`.
    ///
    /// @param weight `[out,in]`, row by row; not copied
    /// @param bias `[out]`; not copied
    public record Layer(int in, int out, float[] weight, float[] bias) {

        /// @throws ShapeException unless there are out·in weights and out biases, at least one each
        public Layer {
            if (in < 1 || out < 1 || (long) in * out != weight.length || bias.length != out) {
                throw new ShapeException("head: a layer of " + in + " inputs and " + out + " outputs takes " + (long) in * out + " weights and " + out + " biases, got "
                        + weight.length + " and " + bias.length);
            }
        }
    }

    /// @throws ShapeException unless the layers follow on each other and end in one output
    public HeadWeights {
        layers = List.copyOf(layers);
        requireName(name);
        if (layers.isEmpty()) {
            throw new ShapeException("head: at least one linear layer is required, got none");
        }
        for (int i = 0; i < layers.size(); i++) {
            int next = i + 1 < layers.size() ? layers.get(i + 1).in() : 1;
            if (layers.get(i).out() != next) {
                throw new ShapeException("head: layer " + i + " of " + layers.size() + " must have " + next + (next == 1 ? " output" : " outputs") + ", got " + layers.get(i).out());
            }
        }
    }

    /// The name, if a reward can be called this.
    ///
    /// @throws IllegalArgumentException if not
    public static String requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("head: a name must be 1 to 64 letters, digits, spaces and ._+- and begin with a letter or digit, got '" + printable(name) + "'");
        }
        return name;
    }

    private static String printable(String text) {
        String shown = text.length() > 64 ? text.substring(0, 64) + "…" : text;
        return shown.chars().mapToObj(c -> c < ' ' || c == 127 ? String.format(Locale.ROOT, "\\u%04x", c) : Character.toString(c)).collect(Collectors.joining());
    }

    /// Length of the feature vectors that it takes.
    public int features() {
        return layers.getFirst().in();
    }

    /// Fresh weights, uniform in ±1/√in as PyTorch's linear layers start.
    ///
    /// @param hidden outputs of each layer but the last; none for a linear function of the features
    public static HeadWeights random(String name, Activation activation, int features, List<Integer> hidden, RandomStream random) {
        List<Layer> layers = new ArrayList<>();
        int in = features;
        for (int i = 0; i <= hidden.size(); i++) {
            int out = i < hidden.size() ? hidden.get(i) : 1;
            layers.add(new Layer(in, out, uniform(random, Math.multiplyExact(in, out), in), uniform(random, out, in)));
            in = out;
        }
        return new HeadWeights(name, activation, layers);
    }

    private static float[] uniform(RandomStream random, int count, int fanIn) {
        float[] values = random.rand(count);
        float bound = (float) (1 / Math.sqrt(fanIn));
        for (int i = 0; i < count; i++) {
            values[i] = bound * (2 * values[i] - 1);
        }
        return values;
    }

    /// The head of plain features that is this one of standardised features: `scale·h((x − mean)/std) + shift`.
    ///
    /// @param mean of each feature
    /// @param std of each feature, above 0
    public HeadWeights of(double[] mean, double[] std, double scale, double shift) {
        List<Layer> folded = new ArrayList<>(layers);
        Layer first = layers.getFirst();
        float[] weight = first.weight().clone();
        float[] bias = first.bias().clone();
        for (int o = 0; o < first.out(); o++) {
            double moved = 0;
            for (int i = 0; i < first.in(); i++) {
                double w = weight[o * first.in() + i] / std[i];
                weight[o * first.in() + i] = (float) w;
                moved += w * mean[i];
            }
            bias[o] = (float) (bias[o] - moved);
        }
        folded.set(0, new Layer(first.in(), first.out(), weight, bias));
        Layer last = folded.getLast();
        float[] scaled = last.weight().clone();
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = (float) (scale * scaled[i]);
        }
        folded.set(folded.size() - 1, new Layer(last.in(), 1, scaled, new float[] {(float) (scale * last.bias()[0] + shift)}));
        return new HeadWeights(name, activation, folded);
    }

    /// Reads a head file.
    ///
    /// @throws ModelFormatException if it is missing, damaged, or holds anything but a head; the message names the file and the tensor or setting
    public static HeadWeights read(Path file) throws IOException {
        try (TensorFile tensors = TensorFile.open(file)) {
            return of(tensors);
        }
    }

    /// As {@link #read}, of a file that is open.
    public static HeadWeights of(TensorFile tensors) throws ModelFormatException {
        String where = tensors.source();
        SortedSet<Integer> numbers = new TreeSet<>();
        for (String tensor : tensors.names()) {
            Matcher m = TENSOR.matcher(tensor);
            if (!m.matches()) {
                throw new ModelFormatException(where + ": a head holds only 'layers.N.weight' and 'layers.N.bias', got '" + printable(tensor) + "'");
            }
            numbers.add(Integer.parseInt(m.group(1)));
        }
        List<Layer> layers = new ArrayList<>();
        for (int n : numbers) {
            Shape shape = tensors.spec("layers." + n + ".weight").shape();
            if (shape.rank() != 2) {
                throw new ModelFormatException(where + ": tensor 'layers." + n + ".weight' must be [out,in], got " + shape);
            }
            float[] weight = finite(tensors, "layers." + n + ".weight");
            float[] bias = finite(tensors, "layers." + n + ".bias");
            try {
                layers.add(new Layer(shape.dim(1), shape.dim(0), weight, bias));
            } catch (ShapeException e) {
                throw new ModelFormatException(where + ": layers." + n + ": " + e.getMessage());
            }
        }
        try {
            return new HeadWeights(tensors.metadata().getOrDefault("name", UNNAMED), activation(tensors), layers);
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(where + ": " + e.getMessage());
        }
    }

    private static Activation activation(TensorFile tensors) throws ModelFormatException {
        String id = tensors.metadata().getOrDefault("activation", Activation.NONE.id());
        return Arrays.stream(Activation.values()).filter(a -> a.id().equals(id)).findFirst().orElseThrow(() -> new ModelFormatException(tensors.source()
                + ": 'activation' must be one of " + Arrays.stream(Activation.values()).map(Activation::id).collect(Collectors.joining(", ")) + ", got '" + printable(id) + "'"));
    }

    private static float[] finite(TensorFile tensors, String name) throws ModelFormatException {
        Spec spec = tensors.spec(name);
        if (!spec.dtype().floating()) {
            throw new ModelFormatException(tensors.source() + ": tensor '" + name + "' must hold floating-point numbers, got " + spec.dtype());
        }
        float[] values = tensors.floats(name);
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new ModelFormatException(tensors.source() + ": tensor '" + name + "' must be finite, got " + values[i] + " at element " + i);
            }
        }
        return values;
    }

    /// Writes the head as a file in float32, whole or not at all.
    public void write(Path file) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt").metadata("name", name).metadata("activation", activation.id());
        for (int i = 0; i < layers.size(); i++) {
            Layer layer = layers.get(i);
            writer.add("layers." + i + ".weight", Shape.of(layer.out(), layer.in()), layer.weight());
            writer.add("layers." + i + ".bias", Shape.of(layer.out()), layer.bias());
        }
        writer.write(file);
    }
}
