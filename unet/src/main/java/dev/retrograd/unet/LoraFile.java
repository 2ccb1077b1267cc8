package dev.retrograd.unet;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// LoRA files as diffusers and peft name their tensors, today's names and the older ones.
///
/// | written by | names |
/// |---|---|
/// | diffusers with peft | `unet.<module>.lora_A.weight`, `unet.<module>.lora_B.weight` |
/// | TRL, AlignProp | `unet.<module>.lora.down.weight`, `unet.<module>.lora.up.weight` |
/// | diffusers before 0.17 | `<…>.processor.to_q_lora.down.weight`, `….up.weight` |
///
/// Parity: diffusers `load_lora_weights`, `save_lora_weights`.
public final class LoraFile {
    /// What upstream calls the file in a folder.
    public static final String NAME = "pytorch_lora_weights.safetensors";

    private static final Pattern TENSOR = Pattern.compile("(?:unet\\.|base_model\\.model\\.)?(.+?)\\.(lora_A|lora_B|lora\\.down|lora\\.up)(?:\\.default)?\\.weight");
    private static final Pattern PROCESSOR = Pattern.compile("(?:unet\\.)?(.+?)\\.processor\\.(to_q|to_k|to_v|to_out)_lora\\.(down|up)\\.weight");
    private static final Pattern ALPHA = Pattern.compile("(?:unet\\.)?(.+?)\\.alpha");

    private LoraFile() {
    }

    /// How a file names its tensors.
    public enum Naming {
        /// `unet.<module>.lora_A.weight`: diffusers with peft, today's
        PEFT("lora_A", "lora_B"),
        /// `unet.<module>.lora.down.weight`: what TRL and AlignProp write, and older loaders want
        DIFFUSERS("lora.down", "lora.up");

        private final String down;
        private final String up;

        Naming(String down, String up) {
            this.down = down;
            this.up = up;
        }
    }

    /// The low-rank update of one module, `alpha/rank·B·A`.
    ///
    /// @param a `[rank,in]`
    /// @param b `[out,rank]`
    /// @param pointwise whether the module is a 1×1 convolution in files, whose matrices are `[rank,in,1,1]` and `[out,rank,1,1]` there
    public record Update(int rank, int in, int out, float[] a, float[] b, double alpha, boolean pointwise) {
    }

    private static final class Parts {
        private String downName;
        private String upName;
        private double alpha = Double.NaN;
    }

    /// Reads a file, or the file of the usual name in a folder.
    ///
    /// @param alpha α of every update where the caller knows it; else what the file says, else the rank, as upstream
    /// @return updates by module name, sorted
    /// @throws ModelFormatException if there is no LoRA in it, half of an update is missing, shapes do not fit or a value is not finite; names file and tensor
    public static SequencedMap<String, Update> read(Path path, OptionalDouble alpha) throws IOException {
        Path file = Files.isDirectory(path) ? path.resolve(NAME) : path;
        try (SafeTensors tensors = SafeTensors.open(file)) {
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

    private static void place(Path file, SafeTensors tensors, String name, Map<String, Parts> modules) throws IOException {
        if (name.startsWith("text_encoder")) {
            throw new ModelFormatException(file + ": '" + name + "' adapts the text encoder; only UNet updates are supported");
        }
        Matcher m = TENSOR.matcher(name);
        if (m.matches()) {
            Parts parts = modules.computeIfAbsent(m.group(1), _ -> new Parts());
            set(file, parts, name, m.group(2).equals("lora_A") || m.group(2).equals("lora.down"));
            return;
        }
        m = PROCESSOR.matcher(name);
        if (m.matches()) {
            String module = m.group(1) + "." + (m.group(2).equals("to_out") ? "to_out.0" : m.group(2));
            set(file, modules.computeIfAbsent(module, _ -> new Parts()), name, m.group(3).equals("down"));
            return;
        }
        m = ALPHA.matcher(name);
        if (m.matches() && tensors.spec(name).shape().elements() == 1) {
            modules.computeIfAbsent(m.group(1), _ -> new Parts()).alpha = tensors.floats(name)[0];
            return;
        }
        throw new ModelFormatException(file + ": '" + name + "' is not a LoRA tensor of a linear layer of the UNet in diffusers or peft naming");
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

    private static Update update(Path file, SafeTensors tensors, String module, Parts parts, OptionalDouble alpha) throws IOException {
        if (parts.downName == null || parts.upName == null) {
            throw new ModelFormatException(file + ": module '" + module + "' must have both matrices, but " + (parts.downName == null ? "A (down)" : "B (up)") + " is missing");
        }
        Shape a = matrix(file, tensors, parts.downName);
        Shape b = matrix(file, tensors, parts.upName);
        int rank = a.dim(0);
        if (b.dim(1) != rank || b.rank() != a.rank() || rank == 0) {
            throw new ModelFormatException(file + ": module '" + module + "' must have A [rank,in] and B [out,rank], got " + a + " and " + b);
        }
        double scaleAlpha = alpha.orElse(Double.isNaN(parts.alpha) ? rank : parts.alpha);
        return new Update(rank, a.dim(1), b.dim(0), finite(file, tensors, parts.downName), finite(file, tensors, parts.upName), scaleAlpha, a.rank() > 2);
    }

    private static Shape matrix(Path file, SafeTensors tensors, String name) throws ModelFormatException {
        Spec spec = tensors.spec(name);
        Shape shape = spec.shape();
        boolean matrix = shape.rank() == 2 || shape.rank() == 4 && shape.dim(2) == 1 && shape.dim(3) == 1;
        if (!matrix || !spec.dtype().floating()) {
            throw new ModelFormatException(file + ": tensor '" + name + "' must be a floating-point matrix, or one with two more axes of size 1, got " + spec);
        }
        return shape;
    }

    private static float[] finite(Path file, SafeTensors tensors, String name) throws ModelFormatException {
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
    /// Neither naming has a place for α: readers take it to be the rank. So where α differs, B is written multiplied by α/rank, which gives every
    /// reader the same update.
    ///
    /// @throws IOException if it cannot be written; nothing half-written is left
    public static void write(Path file, Map<String, Update> updates, Naming naming) throws IOException {
        SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", "pt");
        updates.forEach((module, u) -> {
            float[] b = u.b().clone();
            float factor = (float) (u.alpha() / u.rank());
            for (int i = 0; i < b.length; i++) {
                b[i] *= factor;
            }
            writer.add("unet." + module + "." + naming.down + ".weight", inFile(u.pointwise(), u.rank(), u.in()), u.a());
            writer.add("unet." + module + "." + naming.up + ".weight", inFile(u.pointwise(), u.out(), u.rank()), b);
        });
        writer.write(file);
    }

    /// The shape of a matrix in files.
    static Shape inFile(boolean pointwise, int rows, int columns) {
        return pointwise ? Shape.of(rows, columns, 1, 1) : Shape.of(rows, columns);
    }
}
