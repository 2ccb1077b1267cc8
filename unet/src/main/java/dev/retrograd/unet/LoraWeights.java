package dev.retrograd.unet;

import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Adaptable;
import dev.retrograd.autograd.nn.Conv2d;
import dev.retrograd.autograd.nn.Lora;
import dev.retrograd.core.Backend;
import dev.retrograd.core.RandomStream;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// The low-rank updates of a model, by module, attached to it until {@link #close()}.
///
/// Matrices are float32 whatever the frozen weights are. Source: arXiv 2106.09685.
public final class LoraWeights implements AutoCloseable {
    private final SequencedMap<String, Lora> byModule;
    private final Map<String, Adaptable> layers;

    private LoraWeights(SequencedMap<String, Lora> byModule, Map<String, Adaptable> layers) {
        this.byModule = byModule;
        this.layers = layers;
        attach();
    }

    /// Puts the updates onto the model again.
    public void attach() {
        byModule.forEach((module, lora) -> layers.get(module).attach(lora));
    }

    /// Takes the updates off the model; they keep their values.
    public void detach() {
        byModule.forEach((module, lora) -> layers.get(module).detach(lora));
    }

    private static Map<String, Adaptable> layers(UNet unet) {
        Map<String, Adaptable> layers = new LinkedHashMap<>();
        unet.adaptable().forEach(l -> layers.put(l.name(), l));
        return layers;
    }

    /// Fresh updates that change nothing yet: A normal with standard deviation 1/rank, B zero, as peft's "gaussian" initialisation.
    ///
    /// @throws IllegalArgumentException if a target matches no module, naming it
    public static LoraWeights fresh(Backend backend, UNet unet, LoraConfig config, long seed) {
        Map<String, Adaptable> layers = layers(unet);
        for (String target : config.targets()) {
            if (layers.values().stream().noneMatch(l -> LoraConfig.matches(target, l))) {
                throw new IllegalArgumentException("lora targets: '" + target + "' names no layer of this UNet; there are attention, all-linear, conv, and names such as to_q, to_out.0, ff.net.0.proj, ff.net.2, proj_in, conv1");
            }
        }
        SequencedMap<String, Lora> byModule = new LinkedHashMap<>();
        List<Adaptable> targets = layers.values().stream().filter(config::matches).toList();
        for (int i = 0; i < targets.size(); i++) {
            Adaptable layer = targets.get(i);
            float[] a = RandomStream.keyed(seed, i).randn(config.rank() * LoraFile.depth(layer.inFeatures(), layer.kernel()));
            for (int j = 0; j < a.length; j++) {
                a[j] /= config.rank();
            }
            float[] b = new float[layer.outFeatures() * config.rank()];
            byModule.put(layer.name(), lora(backend, layer.name(), layer, config.rank(), a, b, config.scale()));
        }
        return new LoraWeights(byModule, layers);
    }

    /// @param a `[rank,in]`, of a convolution `[rank,in,K,K]` as in files
    private static Lora lora(Backend backend, String module, Adaptable layer, int rank, float[] a, float[] b, double scale) {
        try (Scope _ = backend.memory().open("lora " + module)) {
            String nameA = module + ".lora_A.weight";
            String nameB = module + ".lora_B.weight";
            Shape fileA = LoraFile.inFile(layer.kernel(), rank, layer.inFeatures());
            Shape fileB = LoraFile.inFile(Math.min(layer.kernel(), 1), layer.outFeatures(), rank);
            Tensor down = layer instanceof Conv2d ? Layout.channelsLast(backend, nameA, fileA, a) : backend.floats(nameA, Shape.of(rank, layer.inFeatures()), a);
            Tensor up = backend.floats(nameB, Shape.of(layer.outFeatures(), rank), b);
            return new Lora(new Parameter(nameA, down, fileA, true), new Parameter(nameB, up, fileB, true), scale);
        }
    }

    /// Attaches updates of a UNet that were read from a file.
    ///
    /// @param updates by module
    /// @param scale further factor, the user's LoRA scale
    /// @throws IllegalArgumentException if a module is unknown or shapes do not fit, naming it
    public static LoraWeights of(Backend backend, UNet unet, SequencedMap<String, LoraFile.Update> updates, double scale) {
        Optional<String> text = updates.keySet().stream().filter(m -> m.startsWith(LoraFile.TEXT_ENCODER)).findFirst();
        if (text.isPresent()) {
            throw new IllegalArgumentException("lora: '" + text.get() + "' adapts the text encoder, which is not trained; merge the LoRA into the model first");
        }
        return of(backend, layers(unet), updates, scale);
    }

    /// Attaches updates of a model's UNet and text encoder that were read from a file.
    ///
    /// @throws IllegalArgumentException as {@link #of(Backend, UNet, SequencedMap, double)}
    public static LoraWeights of(StableDiffusion model, SequencedMap<String, LoraFile.Update> updates, double scale) {
        Map<String, Adaptable> layers = layers(model.unet());
        model.textEncoder().linears().forEach(l -> layers.put(LoraFile.TEXT_ENCODER + l.name(), l));
        return of(model.backend(), layers, updates, scale);
    }

    private static LoraWeights of(Backend backend, Map<String, Adaptable> layers, SequencedMap<String, LoraFile.Update> updates, double scale) {
        updates.forEach((module, u) -> {
            Adaptable layer = layers.get(module);
            if (layer == null) {
                throw new IllegalArgumentException("lora: '" + module + "' is no layer of this model that takes an update");
            }
            if (u.in() != layer.inFeatures() || u.out() != layer.outFeatures()) {
                throw new IllegalArgumentException("lora: '" + module + "' must map " + layer.inFeatures() + " to " + layer.outFeatures() + " channels, got " + u.in() + " to " + u.out());
            }
            if (Math.max(u.kernel(), 1) != Math.max(layer.kernel(), 1)) {
                throw new IllegalArgumentException("lora: '" + module + "' must have a kernel of " + layer.kernel() + " rows and columns, got " + u.kernel());
            }
        });
        SequencedMap<String, Lora> byModule = new LinkedHashMap<>();
        updates.forEach((module, u) -> byModule.put(module, lora(backend, module, layers.get(module), u.rank(), u.a(), u.b(), u.alpha() / u.rank() * scale)));
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
        byModule.forEach((module, l) -> {
            Adaptable layer = layers.get(module);
            float[] a = layer instanceof Conv2d ? Layout.channelsFirst(backend, l.a().value()) : backend.toFloats(l.a().value());
            all.put(module, new LoraFile.Update(l.rank(), layer.inFeatures(), layer.outFeatures(), a, backend.toFloats(l.b().value()), l.scale() * l.rank(), layer.kernel()));
        });
        return all;
    }

    /// Takes the updates off the model and frees them.
    @Override public void close() {
        detach();
        byModule.values().forEach(lora -> {
            lora.a().close();
            lora.b().close();
        });
        byModule.clear();
    }
}
