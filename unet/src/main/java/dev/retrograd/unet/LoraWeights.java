package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Linear;
import dev.retrograd.autograd.nn.Lora;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// The low-rank updates of a UNet, by module, attached to it until {@link #close()}.
///
/// Matrices are float32 whatever the frozen weights are. Source: arXiv 2106.09685.
public final class LoraWeights implements AutoCloseable {
    private final SequencedMap<String, Lora> byModule;
    private final Map<String, Linear> layers;

    private LoraWeights(SequencedMap<String, Lora> byModule, Map<String, Linear> layers) {
        this.byModule = byModule;
        this.layers = layers;
        attach();
    }

    /// Puts the updates onto the UNet again.
    public void attach() {
        byModule.forEach((module, lora) -> layers.get(module).attach(lora));
    }

    /// Takes the updates off the UNet; they keep their values.
    public void detach() {
        byModule.forEach((module, lora) -> layers.get(module).detach(lora));
    }

    private static Map<String, Linear> layers(UNet unet) {
        Map<String, Linear> layers = new LinkedHashMap<>();
        unet.linears().forEach(l -> layers.put(l.name(), l));
        return layers;
    }

    /// Fresh updates that change nothing yet: A normal with standard deviation 1/rank, B zero, as peft's "gaussian" initialisation.
    ///
    /// @throws IllegalArgumentException if a target matches no module, naming it
    public static LoraWeights fresh(Backend backend, UNet unet, LoraConfig config, long seed) {
        Map<String, Linear> layers = layers(unet);
        for (String target : config.targets()) {
            if (layers.keySet().stream().noneMatch(m -> m.equals(target) || m.endsWith("." + target))) {
                throw new IllegalArgumentException("lora targets: '" + target + "' names no linear layer of this UNet; there are, for example, to_q, to_k, to_v, to_out.0, ff.net.0.proj, ff.net.2, proj_in, proj_out");
            }
        }
        SequencedMap<String, Lora> byModule = new LinkedHashMap<>();
        List<String> modules = layers.keySet().stream().filter(config::matches).toList();
        for (int i = 0; i < modules.size(); i++) {
            Linear layer = layers.get(modules.get(i));
            float[] a = RandomStream.keyed(seed, i).randn(config.rank() * layer.inFeatures());
            for (int j = 0; j < a.length; j++) {
                a[j] /= config.rank();
            }
            float[] b = new float[layer.outFeatures() * config.rank()];
            byModule.put(layer.name(), lora(backend, layer, config.rank(), a, b, config.scale()));
        }
        return new LoraWeights(byModule, layers);
    }

    private static Lora lora(Backend backend, Linear layer, int rank, float[] a, float[] b, double scale) {
        try (Scope _ = backend.memory().open("lora " + layer.name())) {
            String nameA = layer.name() + ".lora_A.weight";
            String nameB = layer.name() + ".lora_B.weight";
            return new Lora(parameter(backend, layer, nameA, rank, layer.inFeatures(), a), parameter(backend, layer, nameB, layer.outFeatures(), rank, b), scale);
        }
    }

    private static Parameter parameter(Backend backend, Linear layer, String name, int rows, int columns, float[] values) {
        return new Parameter(name, backend.floats(name, Shape.of(rows, columns), values), LoraFile.inFile(pointwise(layer), rows, columns), true);
    }

    /// Whether files have the layer as a 1×1 convolution, and its updates as well.
    private static boolean pointwise(Linear layer) {
        return layer.weight().fileShape().rank() > 2;
    }

    /// Attaches updates that were read from a file.
    ///
    /// @param updates by module
    /// @param scale further factor, the user's LoRA scale
    /// @throws IllegalArgumentException if a module is unknown or shapes do not fit, naming it
    public static LoraWeights of(Backend backend, UNet unet, SequencedMap<String, LoraFile.Update> updates, double scale) {
        Map<String, Linear> layers = layers(unet);
        updates.forEach((module, u) -> {
            Linear layer = layers.get(module);
            if (layer == null) {
                throw new IllegalArgumentException("lora: '" + module + "' is no linear layer of this UNet");
            }
            if (u.in() != layer.inFeatures() || u.out() != layer.outFeatures()) {
                throw new IllegalArgumentException("lora: '" + module + "' must map " + layer.inFeatures() + " to " + layer.outFeatures() + " channels, got " + u.in() + " to " + u.out());
            }
        });
        SequencedMap<String, Lora> byModule = new LinkedHashMap<>();
        updates.forEach((module, u) -> byModule.put(module, lora(backend, layers.get(module), u.rank(), u.a(), u.b(), u.alpha() / u.rank() * scale)));
        return new LoraWeights(byModule, layers);
    }

    /// The updates by module, in the order of the forward pass or of the file.
    public Map<String, Lora> byModule() {
        return Collections.unmodifiableMap(byModule);
    }

    /// All matrices: A, then B, of each module.
    public List<Parameter> parameters() {
        List<Parameter> all = new ArrayList<>();
        byModule.values().forEach(l -> {
            all.add(l.a());
            all.add(l.b());
        });
        return all;
    }

    /// Number of trainable values.
    public long elements() {
        return parameters().stream().map(Parameter::spec).map(Spec::shape).mapToLong(Shape::elements).sum();
    }

    /// What a file holds of these updates; the scale α/r goes into B's factor α.
    public SequencedMap<String, LoraFile.Update> updates(Backend backend) {
        SequencedMap<String, LoraFile.Update> all = new LinkedHashMap<>();
        byModule.forEach((module, l) -> all.put(module, new LoraFile.Update(l.rank(), l.a().spec().shape().dim(1), l.b().spec().shape().dim(0),
                backend.toFloats(l.a().value()), backend.toFloats(l.b().value()), l.scale() * l.rank(), pointwise(layers.get(module)))));
        return all;
    }

    /// Takes the updates off the UNet and frees them.
    @Override public void close() {
        detach();
        byModule.values().forEach(lora -> {
            lora.a().close();
            lora.b().close();
        });
        byModule.clear();
    }
}
