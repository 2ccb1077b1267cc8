package dev.retrograd.rewards.clip;

import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.TensorFile;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A file by open_clip's names, seen by transformers': fused attention projections are cut in three, projections that multiply from the right are
/// transposed. A tensor that has no place there keeps its name.
///
/// Parity: transformers' `convert_clip_original_pytorch_to_hf`, open_clip's own names `visual.*` and `transformer.*`.
final class OpenClipNames implements TensorFile {
    private static final Pattern LAYER = Pattern.compile("(visual\\.)?transformer\\.resblocks\\.(\\d+)\\.(.+)");
    private static final Pattern FUSED = Pattern.compile("attn\\.in_proj_(weight|bias)");
    private static final Map<String, String> WHOLE = Map.ofEntries(
            Map.entry("visual.class_embedding", "vision_model.embeddings.class_embedding"), Map.entry("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
            Map.entry("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
            Map.entry("visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"), Map.entry("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"),
            Map.entry("visual.ln_post.weight", "vision_model.post_layernorm.weight"), Map.entry("visual.ln_post.bias", "vision_model.post_layernorm.bias"),
            Map.entry("positional_embedding", "text_model.embeddings.position_embedding.weight"), Map.entry("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            Map.entry("ln_final.weight", "text_model.final_layer_norm.weight"), Map.entry("ln_final.bias", "text_model.final_layer_norm.bias"));
    private static final Map<String, String> TRANSPOSED = Map.of("visual.proj", "visual_projection.weight", "text_projection", "text_projection.weight");
    private static final Map<String, String> MODULES = Map.of("attn.out_proj", "self_attn.out_proj", "ln_1", "layer_norm1", "ln_2", "layer_norm2", "mlp.c_fc", "mlp.fc1", "mlp.c_proj", "mlp.fc2");
    private static final String[] PROJECTIONS = {"q", "k", "v"};
    private static final int NOT_CUT = -1;

    /// @param third which of three equal parts of the first axis it is, or {@link #NOT_CUT}
    private record Part(String name, int third, boolean transposed) {
    }

    private final TensorFile file;
    private final Map<String, Part> parts = new LinkedHashMap<>();

    OpenClipNames(TensorFile file) {
        this.file = file;
        file.names().forEach(this::place);
    }

    private void place(String name) {
        Matcher layer = LAYER.matcher(name);
        if (layer.matches()) {
            placeInLayer(name, (layer.group(1) == null ? "text_model" : "vision_model") + ".encoder.layers." + layer.group(2) + ".", layer.group(3));
        } else if (TRANSPOSED.containsKey(name)) {
            parts.put(TRANSPOSED.get(name), new Part(name, NOT_CUT, true));
        } else {
            parts.put(WHOLE.getOrDefault(name, name), new Part(name, NOT_CUT, false));
        }
    }

    private void placeInLayer(String name, String layer, String inside) {
        Matcher fused = FUSED.matcher(inside);
        if (fused.matches()) {
            for (int third = 0; third < PROJECTIONS.length; third++) {
                parts.put(layer + "self_attn." + PROJECTIONS[third] + "_proj." + fused.group(1), new Part(name, third, false));
            }
            return;
        }
        int dot = inside.lastIndexOf('.');
        String module = MODULES.get(inside.substring(0, Math.max(dot, 0)));
        parts.put(module == null ? name : layer + module + inside.substring(dot), new Part(name, NOT_CUT, false));
    }

    @Override public String source() {
        return file.source();
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(parts.keySet());
    }

    private Part part(String name) throws ModelFormatException {
        Part part = parts.get(name);
        if (part == null) {
            throw new ModelFormatException(source() + ": tensor '" + name + "' (in transformers' naming) is required, but there is none among its " + file.names().size());
        }
        return part;
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        Part part = part(name);
        Spec spec = file.spec(part.name());
        if (part.third() != NOT_CUT) {
            if (spec.shape().rank() < 1 || spec.shape().dim(0) % PROJECTIONS.length != 0) {
                throw new ModelFormatException(source() + ": tensor '" + part.name() + "' must hold three projections, got " + spec.shape());
            }
            return spec.with(spec.shape().with(0, spec.shape().dim(0) / PROJECTIONS.length));
        }
        if (part.transposed()) {
            if (spec.shape().rank() != 2) {
                throw new ModelFormatException(source() + ": tensor '" + part.name() + "' must be a matrix, got " + spec.shape());
            }
            return spec.with(Shape.of(spec.shape().dim(1), spec.shape().dim(0)));
        }
        return spec;
    }

    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        Part part = part(name);
        Spec spec = spec(name);
        MemorySegment whole = file.bytes(part.name());
        if (part.third() != NOT_CUT) {
            return whole.asSlice(part.third() * spec.bytes(), spec.bytes());
        }
        return part.transposed() ? transposed(whole, spec) : whole;
    }

    /// @param spec of the result
    private static MemorySegment transposed(MemorySegment from, Spec spec) {
        int rows = spec.shape().dim(0);
        int columns = spec.shape().dim(1);
        int size = spec.dtype().bytes();
        MemorySegment to = MemorySegment.ofArray(new byte[Math.toIntExact(spec.bytes())]);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                MemorySegment.copy(from, ((long) c * rows + r) * size, to, ((long) r * columns + c) * size, size);
            }
        }
        return to.asReadOnly();
    }

    @Override public void close() {
        file.close();
    }
}
