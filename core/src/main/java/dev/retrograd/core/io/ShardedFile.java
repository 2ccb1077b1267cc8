package dev.retrograd.core.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.retrograd.core.Spec;
import java.io.CharConversionException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// A model that is spread over several files, as transformers saves large ones: an index says which file holds which tensor.
///
/// Parity: transformers' `model.safetensors.index.json` and `pytorch_model.bin.index.json`.
public final class ShardedFile implements TensorFile {
    /// What follows the name that the model would have in one file.
    public static final String INDEX = ".index.json";

    private static final ObjectMapper JSON = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
    private static final String MAP = "weight_map";
    /// A file beside the index, nothing else.
    private static final Pattern SHARD = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,254}");
    private static final long MAX_INDEX_BYTES = 100_000_000;

    private final String source;
    private final Map<String, TensorFile> shards = new LinkedHashMap<>();
    private final Map<String, TensorFile> tensors = new LinkedHashMap<>();

    private ShardedFile(String source) {
        this.source = source;
    }

    /// Opens an index and every file that it names; close it when its tensors have been loaded.
    ///
    /// @throws ModelFormatException if the index is damaged or names a file elsewhere, a file is missing or damaged, or a tensor is not where the index says
    /// @throws IOException if one cannot be read
    public static ShardedFile open(Path index) throws IOException {
        ShardedFile model = new ShardedFile(index.toString());
        boolean opened = false;
        try {
            for (Map.Entry<String, JsonNode> e : model.places(index).properties()) {
                model.place(index, e.getKey(), e.getValue());
            }
            opened = true;
            return model;
        } finally {
            if (!opened) {
                model.close();
            }
        }
    }

    private JsonNode places(Path index) throws IOException {
        if (!Files.isRegularFile(index) || Files.size(index) > MAX_INDEX_BYTES) {
            throw new ModelFormatException(source + ": an index of at most " + MAX_INDEX_BYTES + " bytes is required, but " + (Files.exists(index) ? "this is none" : "there is none"));
        }
        JsonNode places;
        try {
            places = JSON.readTree(Files.readAllBytes(index)).path(MAP);
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(source + ": not JSON: " + JsonError.withPlace(e));
        } catch (CharConversionException e) {
            throw new ModelFormatException(source + ": must be UTF-8, got other bytes");
        }
        if (!places.isObject() || places.isEmpty()) {
            throw new ModelFormatException(source + ": '" + MAP + "' must name a file for each tensor, got " + (places.isObject() ? "none" : places.getNodeType()));
        }
        return places;
    }

    private void place(Path index, String tensor, JsonNode file) throws IOException {
        if (!file.isTextual() || !SHARD.matcher(file.textValue()).matches()) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(tensor) + " must be in a file beside the index, got " + SafeTensorsHeader.shown(file.toString()));
        }
        TensorFile shard = shards.get(file.textValue());
        if (shard == null) {
            shard = TensorFile.open(index.resolveSibling(file.textValue()));
            shards.put(file.textValue(), shard);
        }
        if (!shard.names().contains(tensor)) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(tensor) + " must be in " + file.textValue() + ", which lacks it");
        }
        tensors.put(tensor, shard);
    }

    @Override public String source() {
        return source;
    }

    @Override public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    private TensorFile shard(String name) throws ModelFormatException {
        TensorFile shard = tensors.get(name);
        if (shard == null) {
            throw new ModelFormatException(source + ": tensor " + SafeTensorsHeader.shown(name) + " is required, but there is none among its " + tensors.size());
        }
        return shard;
    }

    @Override public Spec spec(String name) throws ModelFormatException {
        return shard(name).spec(name);
    }

    @Override public MemorySegment bytes(String name) throws ModelFormatException {
        return shard(name).bytes(name);
    }

    @Override public void close() {
        shards.values().forEach(TensorFile::close);
    }
}
