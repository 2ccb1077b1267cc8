package dev.retrograd.unet;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;

/// LoRA files: low-rank updates by module, in diffusers', peft's and kohya's naming ({@link LoraNames}).
///
/// Parity: diffusers `load_lora_weights`, `save_lora_weights`; kohya-ss/sd-scripts `networks/lora.py`.
public final class LoraFile {
    /// What upstream calls the file in a folder.
    public static final String NAME = "pytorch_lora_weights.safetensors";
    /// Begins the names of the text encoder's modules.
    public static final String TEXT_ENCODER = "text_encoder.";
    /// Widths of the text embeddings of SD 1.x and 2.x.
    private static final int CONTEXT_V1 = 768;
    private static final int CONTEXT_V2 = 1024;
    /// Beyond any convolution's kernel.
    private static final int LARGEST_KERNEL = 31;

    private LoraFile() {
    }

    /// How a file names its tensors.
    public enum Naming {
        /// `unet.<module>.lora_A.weight`: diffusers with peft, today's
        PEFT,
        /// `unet.<module>.lora.down.weight`: what TRL and AlignProp write, and older loaders want
        DIFFUSERS,
        /// `lora_unet_<module>.lora_down.weight` with `.alpha` and `ss_*` metadata: A1111, ComfyUI, kohya's scripts
        KOHYA
    }

    /// The low-rank update of one module, `alpha/rank·B·A`.
    ///
    /// @param a `[rank,in]`, of a convolution `[rank,in,kernel,kernel]`
    /// @param b `[out,rank]`
    /// @param kernel rows and columns of the module's kernel in files; 0 for a linear layer, whose matrices have no further axes there
    public record Update(int rank, int in, int out, float[] a, float[] b, double alpha, int kernel) {
    }

    private static final class Parts {
        private String downName;
        private String upName;
        private double alpha = Double.NaN;
    }

    /// Reads a file, or the file of the usual name in a folder.
    ///
    /// @param alpha α of every update where the caller knows it; else what the file says, else the rank, as upstream
    /// @return updates by module name, sorted; those of a text encoder begin with {@link #TEXT_ENCODER}
    /// @throws ModelFormatException if there is no LoRA in it, half of an update is missing, shapes do not fit or a value is not finite; names file and tensor
    public static SequencedMap<String, Update> read(Path path, OptionalDouble alpha) throws IOException {
        Path file = Files.isDirectory(path) ? path.resolve(NAME) : path;
        try (TensorFile tensors = TensorFile.open(file)) {
            Map<String, Parts> modules = new TreeMap<>();
            for (String name : tensors.names()) {
                place(file, tensors, name, modules);
            }
            if (modules.isEmpty()) {
                throw new ModelFormatException(file + ": holds no LoRA tensors, such as unet.….to_q.lora_A.weight");
            }
            SequencedMap<String, Update> updates = new LinkedHashMap<>();
            for (Map.Entry<String, Parts> m : modules.entrySet()) {
                updates.put(m.getKey(), update(file, tensors, m.getKey(), m.getValue(), alpha));
            }
            return updates;
        }
    }

    private static void place(Path file, TensorFile tensors, String name, Map<String, Parts> modules) throws IOException {
        Optional<String> other = LoraNames.otherMethod(name);
        if (other.isPresent()) {
            throw new ModelFormatException(file + ": '" + name + "' " + other.get() + ", which is not supported");
        }
        LoraNames.Part part = LoraNames.parse(name)
                .orElseThrow(() -> new ModelFormatException(file + ": '" + name + "' is not a LoRA tensor of a UNet or text encoder in diffusers', peft's or kohya's naming"));
        Parts parts = modules.computeIfAbsent(part.module(), _ -> new Parts());
        if (part.role() != LoraNames.Role.ALPHA) {
            set(file, parts, name, part.role() == LoraNames.Role.DOWN);
            return;
        }
        if (tensors.spec(name).shape().elements() != 1) {
            throw new ModelFormatException(file + ": tensor '" + name + "' must hold one number, got " + tensors.spec(name));
        }
        parts.alpha = finite(file, tensors, name)[0];
    }

    private static void set(Path file, Parts parts, String name, boolean down) throws ModelFormatException {
        if ((down ? parts.downName : parts.upName) != null) {
            throw new ModelFormatException(file + ": '" + name + "' and '" + (down ? parts.downName : parts.upName) + "' are the same matrix of one module");
        }
        if (down) {
            parts.downName = name;
        } else {
            parts.upName = name;
        }
    }

    private static Update update(Path file, TensorFile tensors, String module, Parts parts, OptionalDouble alpha) throws IOException {
        if (parts.downName == null || parts.upName == null) {
            throw new ModelFormatException(file + ": module '" + module + "' must have both matrices, but " + (parts.downName == null ? "A (down)" : "B (up)") + " is missing");
        }
        Shape a = matrix(file, tensors, parts.downName);
        Shape b = matrix(file, tensors, parts.upName);
        int rank = a.dim(0);
        if (b.dim(1) != rank || b.rank() != a.rank() || b.rank() > 2 && b.dim(2) != 1 || rank == 0) {
            throw new ModelFormatException(file + ": module '" + module + "' must have A [rank,in] and B [out,rank], or those of a convolution, got " + a + " and " + b);
        }
        double scaleAlpha = alpha.orElse(Double.isNaN(parts.alpha) ? rank : parts.alpha);
        return new Update(rank, a.dim(1), b.dim(0), finite(file, tensors, parts.downName), finite(file, tensors, parts.upName), scaleAlpha, a.rank() > 2 ? a.dim(2) : 0);
    }

    private static Shape matrix(Path file, TensorFile tensors, String name) throws ModelFormatException {
        Spec spec = tensors.spec(name);
        Shape shape = spec.shape();
        boolean matrix = shape.rank() == 2 || shape.rank() == 4 && shape.dim(2) == shape.dim(3) && shape.dim(2) >= 1 && shape.dim(2) <= LARGEST_KERNEL;
        if (!matrix || !spec.dtype().floating()) {
            throw new ModelFormatException(file + ": tensor '" + name + "' must be a floating-point matrix, or one with the two axes of a square kernel more, got " + spec);
        }
        return shape;
    }

    private static float[] finite(Path file, TensorFile tensors, String name) throws ModelFormatException {
        float[] values = tensors.floats(name);
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new ModelFormatException(file + ": tensor '" + name + "' must be finite, got " + values[i] + " at element " + i);
            }
        }
        return values;
    }

    /// Writes updates.
    ///
    /// Diffusers' and peft's namings have no place for α: readers take it to be the rank. So where α differs, B is written multiplied by α/rank, which
    /// gives every reader the same update. Kohya's has one.
    ///
    /// @throws IOException if it cannot be written; nothing half-written is left
    public static void write(Path file, Map<String, Update> updates, Naming naming) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        boolean kohya = naming == Naming.KOHYA;
        if (kohya) {
            kohyaMetadata(updates).forEach(writer::metadata);
        }
        updates.forEach((module, u) -> {
            String stem = LoraNames.stem(module, naming);
            float[] b = u.b().clone();
            float factor = kohya ? 1 : (float) (u.alpha() / u.rank());
            for (int i = 0; i < b.length; i++) {
                b[i] *= factor;
            }
            writer.add(stem + LoraNames.suffix(module, naming, true), inFile(u.kernel(), u.rank(), u.in()), u.a());
            writer.add(stem + LoraNames.suffix(module, naming, false), inFile(Math.min(u.kernel(), 1), u.out(), u.rank()), b);
            if (kohya) {
                writer.add(stem + ".alpha", Shape.of(), (float) u.alpha());
            }
        });
        writer.write(file);
    }

    /// What kohya's scripts write about a network and A1111 shows of it.
    private static Map<String, String> kohyaMetadata(Map<String, Update> updates) {
        Map<String, String> metadata = new TreeMap<>();
        metadata.put("ss_network_module", "networks.lora");
        updates.values().stream().filter(u -> u.kernel() <= 1).findFirst().or(() -> updates.values().stream().findFirst()).ifPresent(u -> {
            metadata.put("ss_network_dim", Integer.toString(u.rank()));
            metadata.put("ss_network_alpha", Double.toString(u.alpha()));
        });
        updates.values().stream().filter(u -> u.kernel() > 1).findFirst().ifPresent(u ->
                metadata.put("ss_network_args", "{\"conv_dim\": \"" + u.rank() + "\", \"conv_alpha\": \"" + u.alpha() + "\"}"));
        int context = updates.entrySet().stream().filter(e -> e.getKey().endsWith("attn2.to_k")).mapToInt(e -> e.getValue().in()).findFirst().orElse(0);
        if (context == CONTEXT_V1 || context == CONTEXT_V2) {
            metadata.put("ss_base_model_version", context == CONTEXT_V1 ? "sd_v1" : "sd_v2");
            metadata.put("ss_v2", context == CONTEXT_V1 ? "False" : "True");
        }
        return metadata;
    }

    /// Values of A for each of its rows.
    static int depth(int in, int kernel) {
        return in * Math.max(kernel, 1) * Math.max(kernel, 1);
    }

    /// The shape of a matrix in files.
    static Shape inFile(int kernel, int rows, int columns) {
        return kernel > 0 ? Shape.of(rows, columns, kernel, kernel) : Shape.of(rows, columns);
    }
}
