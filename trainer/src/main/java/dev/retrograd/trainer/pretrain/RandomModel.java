package dev.retrograd.trainer.pretrain;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.Parameter;
import dev.retrograd.autograd.nn.Weights;
import dev.retrograd.core.Backend;
import dev.retrograd.core.DType;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.unet.ModelConfig;
import dev.retrograd.unet.UNet;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.file.Component;
import dev.retrograd.unet.file.DiffusersConfigs;
import dev.retrograd.unet.file.Halves;
import dev.retrograd.unet.file.ModelFiles;
import dev.retrograd.unet.text.ClipTextConfig;
import dev.retrograd.unet.text.ClipTextEncoder;
import dev.retrograd.unet.text.TokenizerFolder;
import dev.retrograd.unet.vae.VaeConfig;
import dev.retrograd.unet.vae.VaeDecoder;
import dev.retrograd.unet.vae.VaeEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;

/// A model with seeded random weights, written as a diffusers folder: what a real one takes to load and run, without its pictures.
///
/// Weights are a pure function of seed and name, and are made while they are written: memory holds one tensor at a time.
public final class RandomModel {
    private static final int VOCABULARY = 49_408;
    private static final int POSITIONS = 77;
    private static final List<Boolean> ATTENTION = List.of(true, true, true, false);
    private static final int LAYERS = 2;
    private static final int LATENT_CHANNELS = 4;
    private static final int DOWNSCALE = 8;

    /// Which model's sizes it has.
    public enum Arch {
        /// Stable Diffusion 1.5: a UNet of 859,520,964 weights
        SD15(List.of(320, 640, 1280, 1280), List.of(128, 256, 512, 512), 768, 12, 3072, 64, false),
        /// Stable Diffusion 2.1: OpenCLIP's text encoder, linear projections, velocity prediction at 768 pixels
        SD21(List.of(320, 640, 1280, 1280), List.of(128, 256, 512, 512), 1024, 23, 4096, 96, true),
        /// the topology of 1.5 with few channels, for 64 pixels
        TINY(List.of(32, 32, 64, 64), List.of(32, 32, 64, 64), 32, 2, 64, 8, false);

        private final List<Integer> unetChannels;
        private final List<Integer> vaeChannels;
        private final int textWidth;
        private final int textLayers;
        private final int textFeedForward;
        private final int sampleSize;
        private final boolean second;

        Arch(List<Integer> unetChannels, List<Integer> vaeChannels, int textWidth, int textLayers, int textFeedForward, int sampleSize, boolean second) {
            this.unetChannels = unetChannels;
            this.vaeChannels = vaeChannels;
            this.textWidth = textWidth;
            this.textLayers = textLayers;
            this.textFeedForward = textFeedForward;
            this.sampleSize = sampleSize;
            this.second = second;
        }

        /// The configuration of a component, as diffusers has it.
        public ModelConfig describe(Component component) throws IOException {
            return ModelConfig.of(component.configPath(), config(component));
        }

        private ObjectNode config(Component component) {
            return switch (component) {
                case UNET -> DiffusersConfigs.unet(unetChannels, ATTENTION, LAYERS, textWidth, LATENT_CHANNELS, LATENT_CHANNELS, second, sampleSize);
                case VAE -> DiffusersConfigs.vae(vaeChannels, LAYERS, 3, LATENT_CHANNELS, sampleSize * DOWNSCALE);
                case TEXT_ENCODER -> DiffusersConfigs.text(VOCABULARY, POSITIONS, textWidth, textLayers, textFeedForward, second);
                case SCHEDULER -> DiffusersConfigs.schedule(second ? "v_prediction" : "epsilon");
            };
        }
    }

    private RandomModel() {
    }

    /// The shapes that a network asks for; nothing has values.
    private record Asked(Backend plan, List<Parameter> parameters) implements Weights {
        private Parameter add(String name, Shape here, Shape inFile) {
            try (Scope _ = plan.memory().open(name)) {
                Parameter p = new Parameter(name, plan.empty(name, new Spec(here, DType.F32)), inFile, false);
                parameters.add(p);
                return p;
            }
        }

        /// Not under the names that a VAE's attention had before diffusers 0.18.
        @Override public boolean has(String name) {
            return false;
        }

        @Override public Parameter get(String name, int... shape) {
            return add(name, Shape.of(shape), Shape.of(shape));
        }

        @Override public Parameter kernel(String name, int out, int in, int height, int width) {
            return add(name, Shape.of(out, height, width, in), Shape.of(out, in, height, width));
        }

        @Override public Parameter pointwise(String name, int out, int in) {
            boolean vae = name.contains("coder.mid_block.");
            return add(name, Shape.of(out, in), vae ? Shape.of(out, in) : Shape.of(out, in, 1, 1));
        }
    }

    @FunctionalInterface private interface Network {
        void build(ModelConfig config, Weights weights) throws IOException;
    }

    /// Writes the folder.
    ///
    /// @param dtype `F32`, `F16` or `BF16`
    /// @return weights of the UNet
    /// @throws IOException if it cannot be written
    public static long write(Path folder, Arch arch, DType dtype, long seed) throws IOException {
        for (Component c : Component.values()) {
            Configs.write(folder.resolve(c.configPath()), arch.config(c).toPrettyString() + "\n");
        }
        TokenizerFolder.writeStandard(folder.resolve("tokenizer"), arch.second);
        network(folder, arch, Component.TEXT_ENCODER, "model", dtype, seed, (config, w) -> new ClipTextEncoder(ClipTextConfig.of(config), w.in("text_model")));
        network(folder, arch, Component.VAE, "diffusion_pytorch_model", dtype, seed, (config, w) -> {
            VaeConfig vae = VaeConfig.of(config);
            new VaeEncoder(vae, w);
            new VaeDecoder(vae, w);
        });
        long weights = network(folder, arch, Component.UNET, "diffusion_pytorch_model", dtype, seed, (config, w) -> new UNet(UNetConfig.of(config), w));
        Configs.write(folder.resolve("model_index.json"), DiffusersConfigs.index().toPrettyString() + "\n");
        return weights;
    }

    /// The same model in memory, with the values that a folder of float32 has.
    public static ModelFiles files(Arch arch, long seed, ModelFiles.Options options) {
        return new RandomFiles(ModelFiles.shapes(arch.name().toLowerCase(Locale.ROOT), arch::describe, options), DType.F32, seed);
    }

    /// Weights of an architecture's UNet.
    public static long unetWeights(Arch arch) throws IOException {
        return asked(arch, Component.UNET, (config, w) -> new UNet(UNetConfig.of(config), w)).values().stream().mapToLong(Shape::elements).sum();
    }

    /// The shapes in files of everything that a network asks for.
    private static SequencedMap<String, Shape> asked(Arch arch, Component component, Network network) throws IOException {
        Asked asked = new Asked(new PlanBackend("files", 0), new ArrayList<>());
        try (Backend _ = asked.plan()) {
            network.build(arch.describe(component), asked);
            SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
            asked.parameters().forEach(p -> shapes.put(p.name(), p.fileShape()));
            asked.parameters().forEach(Parameter::close);
            return shapes;
        }
    }

    private static long network(Path folder, Arch arch, Component component, String name, DType dtype, long seed, Network network) throws IOException {
        Map<String, Shape> shapes = asked(arch, component, network);
        Map<String, Integer> fanIns = SeededWeights.fanIns(shapes);
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        shapes.forEach((weight, shape) -> writer.add(weight, new Spec(shape, dtype), () -> Halves.bytes(SeededWeights.initial(seed, weight, shape, fanIns), dtype)));
        writer.write(folder.resolve(component.folder()).resolve(name + ".safetensors"));
        return shapes.values().stream().mapToLong(Shape::elements).sum();
    }
}
