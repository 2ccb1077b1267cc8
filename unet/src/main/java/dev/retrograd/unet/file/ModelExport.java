package dev.retrograd.unet.file;

import dev.retrograd.core.DType;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.AtomicFile;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.io.TensorFile;
import dev.retrograd.unet.LoraFile;
import dev.retrograd.unet.UNetConfig;
import dev.retrograd.unet.vae.VaeConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// Writes a whole model with LoRAs merged into its weights, as a diffusers folder or as a single file; one tensor is in memory at a time.
public final class ModelExport {
    private static final String WEIGHT = ".weight";
    private static final List<Component> NETWORKS = List.of(Component.TEXT_ENCODER, Component.UNET, Component.VAE);

    private final ModelFiles files;
    private final List<Merge> merges;
    private final Optional<DType> dtype;
    private final Map<Component, TensorFile> replaced = new EnumMap<>(Component.class);

    /// A LoRA and its factor.
    ///
    /// @param updates by module, as {@link LoraFile#read} gives them
    public record Merge(SequencedMap<String, LoraFile.Update> updates, double scale) {
    }

    /// One tensor that is to be written.
    private record Source(TensorFile file, Component component, String name) {
    }

    /// @param dtype of floating-point weights; empty to keep each tensor's own
    /// @throws IllegalArgumentException if a LoRA has a module that the model lacks, or of another size; names it
    public ModelExport(ModelFiles files, List<Merge> merges, Optional<DType> dtype) throws IOException {
        this.files = files;
        this.merges = List.copyOf(merges);
        this.dtype = dtype;
        for (Merge m : merges) {
            for (Map.Entry<String, LoraFile.Update> e : m.updates().entrySet()) {
                require(e.getKey(), e.getValue());
            }
        }
    }

    /// Takes a UNet's weights from elsewhere, by diffusers' names.
    ///
    /// @param weights stays open until the model is written
    /// @throws ModelFormatException if they are not those of this model's UNet; names the tensor
    public ModelExport withUNet(TensorFile weights) throws IOException {
        TensorFile own = files.weights(Component.UNET);
        for (String name : own.names()) {
            if (!weights.names().contains(name) || weights.shape(name).elements() != own.shape(name).elements()) {
                throw new ModelFormatException(weights.source() + ": tensor '" + name + "' must be " + own.shape(name) + " as in " + own.source()
                        + ", got " + (weights.names().contains(name) ? weights.shape(name) : "none"));
            }
        }
        replaced.put(Component.UNET, weights);
        return this;
    }

    private TensorFile weights(Component component) throws IOException {
        TensorFile other = replaced.get(component);
        return other == null ? files.weights(component) : other;
    }

    private void require(String module, LoraFile.Update u) throws IOException {
        boolean text = module.startsWith(LoraFile.TEXT_ENCODER);
        TensorFile file = files.weights(text ? Component.TEXT_ENCODER : Component.UNET);
        String name = (text ? module.substring(LoraFile.TEXT_ENCODER.length()) : module) + WEIGHT;
        if (!file.names().contains(name)) {
            throw new IllegalArgumentException("lora: '" + module + "' is no layer of this model");
        }
        Shape shape = file.shape(name);
        int kernel = shape.rank() > 2 ? shape.dim(2) : 1;
        if (shape.rank() < 2 || shape.dim(0) != u.out() || shape.dim(1) != u.in() || Math.max(u.kernel(), 1) != kernel) {
            throw new IllegalArgumentException("lora: '" + module + "' must fit the weight " + shape + ", got an update from " + u.in() + " to " + u.out() + " channels with kernel " + u.kernel());
        }
    }

    /// Writes a diffusers folder.
    ///
    /// @throws IOException if it cannot be written, or a weight is damaged
    public void folder(Path to) throws IOException {
        for (Component c : NETWORKS) {
            TensorFile file = weights(c);
            SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
            for (String name : file.names()) {
                add(writer, name, new Source(file, c, name), file.shape(name));
            }
            Files.createDirectories(to.resolve(c.folder()));
            writer.write(to.resolve(c.folder()).resolve(c == Component.TEXT_ENCODER ? "model.safetensors" : "diffusion_pytorch_model.safetensors"));
        }
        Files.createDirectories(to.resolve(Component.SCHEDULER.folder()));
        for (Component c : Component.values()) {
            AtomicFile.writeString(to.resolve(c.configPath()), files.config(c).json() + "\n");
        }
        files.writeTokenizer(to.resolve("tokenizer"));
        AtomicFile.writeString(to.resolve("model_index.json"), DiffusersConfigs.index().toPrettyString() + "\n");
    }

    /// Writes a single file with LDM's names.
    ///
    /// @throws IOException if it cannot be written, or a weight is damaged
    public void file(Path to) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        UNetConfig unet = UNetConfig.of(files.config(Component.UNET));
        VaeConfig vae = VaeConfig.of(files.config(Component.VAE));
        ldm(writer, Component.UNET, LdmCheckpoint.UNET, LdmNames.unet(unet.layersPerBlock(), unet.crossAttention()));
        ldm(writer, Component.VAE, LdmCheckpoint.VAE, LdmNames.vae(vae.channels().size(), vae.layersPerBlock()));
        if (unet.linearProjection()) {
            openClip(writer);
        } else {
            TensorFile text = files.weights(Component.TEXT_ENCODER);
            for (String name : text.names()) {
                add(writer, LdmCheckpoint.CLIP + name, new Source(text, Component.TEXT_ENCODER, name), text.shape(name));
            }
        }
        writer.write(to);
    }

    private void ldm(SafeTensorsWriter writer, Component component, String prefix, LdmNames names) throws IOException {
        TensorFile file = weights(component);
        for (String name : file.names()) {
            String inLdm = names.inLdm(name).orElseThrow(() -> new ModelFormatException(file.source() + ": tensor '" + name + "' has no name in a single file"));
            Shape shape = file.shape(name);
            boolean flat = component == Component.VAE && shape.rank() == 2;
            add(writer, prefix + inLdm, new Source(file, component, name), flat ? Shape.of(shape.dim(0), shape.dim(1), 1, 1) : shape);
        }
    }

    /// OpenCLIP joins queries, keys and values, and has a last layer that SD 2.x leaves out: a copy of the one before, as kohya's scripts write it.
    private void openClip(SafeTensorsWriter writer) throws IOException {
        TensorFile text = files.weights(Component.TEXT_ENCODER);
        int layers = 0;
        while (text.names().contains("text_model.encoder.layers." + layers + ".mlp.fc1.weight")) {
            layers++;
        }
        LdmNames names = LdmNames.openClip(layers);
        String last = LdmCheckpoint.OPEN_CLIP + "transformer.resblocks." + (layers - 1) + ".";
        String unused = LdmCheckpoint.OPEN_CLIP + "transformer.resblocks." + layers + ".";
        for (String name : text.names()) {
            if (name.contains(".k_proj.") || name.contains(".v_proj.") || name.endsWith("position_ids")) {
                continue;
            }
            boolean joint = name.contains(".q_proj.");
            String inFile;
            if (joint) {
                inFile = LdmCheckpoint.OPEN_CLIP + name.replace("text_model.encoder.layers.", "transformer.resblocks.").replace("self_attn.q_proj.", "attn.in_proj_");
            } else if (name.equals("text_model.embeddings.position_embedding.weight")) {
                inFile = LdmCheckpoint.OPEN_CLIP + "positional_embedding";
            } else {
                inFile = LdmCheckpoint.OPEN_CLIP + names.inLdm(name).orElseThrow(() -> new ModelFormatException(text.source() + ": tensor '" + name + "' has no name in a single file"));
            }
            List<Source> parts = new ArrayList<>();
            for (String part : joint ? List.of("q_proj", "k_proj", "v_proj") : List.of("q_proj")) {
                parts.add(new Source(text, Component.TEXT_ENCODER, name.replace("q_proj", part)));
            }
            Shape shape = text.shape(name);
            Shape whole = joint ? shape.with(0, shape.dim(0) * parts.size()) : shape;
            add(writer, inFile, parts, whole);
            if (inFile.startsWith(last)) {
                add(writer, unused + inFile.substring(last.length()), parts, whole);
            }
        }
    }

    private void add(SafeTensorsWriter writer, String name, Source source, Shape shape) throws IOException {
        add(writer, name, List.of(source), shape);
    }

    /// @param parts whose rows follow one another
    private void add(SafeTensorsWriter writer, String name, List<Source> parts, Shape shape) throws IOException {
        DType own = parts.getFirst().file().spec(parts.getFirst().name()).dtype();
        DType type = own.floating() ? dtype.orElse(own) : own;
        writer.add(name, new Spec(shape, type), () -> bytes(parts, new Spec(shape, type)));
    }

    private MemorySegment bytes(List<Source> parts, Spec spec) {
        byte[] all = new byte[Math.toIntExact(spec.bytes())];
        MemorySegment target = MemorySegment.ofArray(all);
        long at = 0;
        try {
            for (Source s : parts) {
                MemorySegment one = bytes(s, spec.dtype());
                MemorySegment.copy(one, 0, target, at, one.byteSize());
                at += one.byteSize();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return target;
    }

    private MemorySegment bytes(Source s, DType type) throws IOException {
        boolean text = s.component() == Component.TEXT_ENCODER;
        boolean adapts = s.component() != Component.VAE && s.name().endsWith(WEIGHT);
        String module = adapts ? (text ? LoraFile.TEXT_ENCODER : "") + s.name().substring(0, s.name().length() - WEIGHT.length()) : "";
        List<Merge> here = merges.stream().filter(m -> m.updates().containsKey(module)).toList();
        if (here.isEmpty() && s.file().spec(s.name()).dtype() == type) {
            return s.file().bytes(s.name());
        }
        float[] values = s.file().floats(s.name());
        here.forEach(m -> merge(values, m.updates().get(module), m.scale()));
        return Halves.bytes(values, type);
    }

    /// `w += scale·α/r · B·A`, in float64.
    private static void merge(float[] w, LoraFile.Update u, double scale) {
        int depth = w.length / u.out();
        double factor = scale * u.alpha() / u.rank();
        double[] row = new double[depth];
        for (int o = 0; o < u.out(); o++) {
            Arrays.fill(row, 0);
            for (int r = 0; r < u.rank(); r++) {
                double b = factor * u.b()[o * u.rank() + r];
                for (int i = 0; i < depth; i++) {
                    row[i] += b * u.a()[r * depth + i];
                }
            }
            for (int i = 0; i < depth; i++) {
                w[o * depth + i] = (float) (w[o * depth + i] + row[i]);
            }
        }
    }
}
