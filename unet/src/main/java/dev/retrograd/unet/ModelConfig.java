package dev.retrograd.unet;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.core.io.JsonError;
import dev.retrograd.core.io.ModelFormatException;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/// A `config.json` or another JSON object that describes a computation, read key by key; what nobody reads is refused by {@link #done()}, so
/// that no setting is silently ignored.
public final class ModelConfig {
    private static final ObjectMapper JSON = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
    /// Of a value that a message shows.
    private static final int SHOWN_LENGTH = 100;
    /// Far above any real model's; products of a few of these still fit in 64 bits.
    private static final int LARGEST_SIZE = 1 << 20;
    /// A configuration with more entries than this in a list is no model of ours.
    private static final int LONGEST_LIST = 1024;

    private final String where;
    private final ObjectNode node;
    private final Set<String> unread = new TreeSet<>();

    private ModelConfig(String where, ObjectNode node) {
        this.where = where;
        this.node = node;
        node.fieldNames().forEachRemaining(key -> {
            if (!key.startsWith("_")) {
                unread.add(key);
            }
        });
    }

    /// @throws ModelFormatException if it is missing or not a JSON object
    public static ModelConfig read(Path file) throws IOException {
        String name = file.getParent() == null ? file.toString() : file.getParent().getFileName() + "/" + file.getFileName();
        if (!Files.isRegularFile(file)) {
            throw new ModelFormatException(file + (Files.exists(file) ? ": must be a file, got a folder" : ": not found; a diffusers model folder has it"));
        }
        byte[] content = Files.readAllBytes(file);
        try {
            return of(name, JSON.readTree(content));
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(file + ": not JSON: " + JsonError.withPlace(e));
        } catch (CharConversionException e) {
            throw new ModelFormatException(file + ": must be UTF-8, got other bytes");
        }
    }

    /// @param where what messages call it
    /// @throws ModelFormatException if it is not an object
    public static ModelConfig of(String where, JsonNode node) throws ModelFormatException {
        if (node instanceof ObjectNode object) {
            return new ModelConfig(where, object);
        }
        throw new ModelFormatException(where + ": must be a JSON object, got " + (node == null ? "nothing" : node.getNodeType()));
    }

    /// A nested object; one that is missing reads as empty.
    public ModelConfig object(String key) throws ModelFormatException {
        JsonNode n = take(key);
        return of(where + " '" + key + "'", n == null ? JsonNodeFactory.instance.objectNode() : n);
    }

    /// These settings, and for each key that is missing or null the one of `lower`.
    public ModelConfig over(ModelConfig lower) {
        ObjectNode merged = lower.node.deepCopy();
        node.properties().stream().filter(e -> !e.getValue().isNull() || !merged.has(e.getKey())).forEach(e -> merged.set(e.getKey(), e.getValue()));
        return new ModelConfig(where, merged);
    }

    /// Whether a key is there with a value other than null.
    public boolean has(String key) {
        return node.hasNonNull(key);
    }

    /// Whether a key holds an object.
    public boolean isObject(String key) {
        return node.path(key).isObject();
    }

    private JsonNode take(String key) {
        unread.remove(key);
        return node.hasNonNull(key) ? node.get(key) : null;
    }

    private ModelFormatException wrong(String key, String required, JsonNode got) {
        return new ModelFormatException(where + ": '" + key + "' must be " + required + ", got " + (got == null ? "nothing" : shown(got)));
    }

    private static String shown(JsonNode value) {
        String text = value.toString();
        return text.length() <= SHOWN_LENGTH ? text : text.substring(0, SHOWN_LENGTH) + "…";
    }

    /// A positive integer.
    public int integer(String key) throws ModelFormatException {
        JsonNode n = take(key);
        return positive(key, n, n, "a positive integer");
    }

    /// An integer, zero and below included, with a default for a missing key.
    public int integer(String key, int missing) throws ModelFormatException {
        JsonNode n = take(key);
        if (n == null) {
            return missing;
        }
        if (!n.isInt()) {
            throw wrong(key, "an integer", n);
        }
        return n.intValue();
    }

    public double number(String key, double missing) throws ModelFormatException {
        JsonNode n = take(key);
        if (n == null) {
            return missing;
        }
        if (!n.isNumber() || !Double.isFinite(n.doubleValue())) {
            throw wrong(key, "a number", n);
        }
        return n.doubleValue();
    }

    public boolean flag(String key, boolean missing) throws ModelFormatException {
        JsonNode n = take(key);
        if (n == null) {
            return missing;
        }
        if (!n.isBoolean()) {
            throw wrong(key, "true or false", n);
        }
        return n.booleanValue();
    }

    public String text(String key, String missing) throws ModelFormatException {
        JsonNode n = take(key);
        if (n == null) {
            return missing;
        }
        if (!n.isTextual()) {
            throw wrong(key, "a string", n);
        }
        return n.textValue();
    }

    /// A list of strings, none of them empty.
    public String[] texts(String key) throws ModelFormatException {
        JsonNode n = list(key);
        String[] values = new String[n.size()];
        for (int i = 0; i < values.length; i++) {
            if (!n.get(i).isTextual()) {
                throw wrong(key, "a list of strings", n);
            }
            values[i] = n.get(i).textValue();
        }
        return values;
    }

    /// A list of positive integers.
    public int[] integers(String key) throws ModelFormatException {
        JsonNode n = list(key);
        int[] values = new int[n.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = positive(key, n, n.get(i), "a list of positive integers");
        }
        return values;
    }

    /// @param size in `of`, the value of `key`
    private int positive(String key, JsonNode of, JsonNode size, String required) throws ModelFormatException {
        if (size == null || !size.isInt() || size.intValue() < 1) {
            throw wrong(key, required, of);
        }
        if (size.intValue() > LARGEST_SIZE) {
            throw wrong(key, "at most " + LARGEST_SIZE, of);
        }
        return size.intValue();
    }

    /// A list of `count` numbers.
    public double[] numbers(String key, int count) throws ModelFormatException {
        double[] values = numbers(key);
        if (values.length != count) {
            throw wrong(key, "a list of " + count + " numbers", node.get(key));
        }
        return values;
    }

    /// A list of numbers.
    public double[] numbers(String key) throws ModelFormatException {
        JsonNode n = list(key);
        double[] values = new double[n.size()];
        for (int i = 0; i < values.length; i++) {
            if (!n.get(i).isNumber() || !Double.isFinite(n.get(i).doubleValue())) {
                throw wrong(key, "a list of numbers", n);
            }
            values[i] = n.get(i).doubleValue();
        }
        return values;
    }

    /// A list of objects of any length; one that is missing reads as empty.
    public List<ModelConfig> objects(String key) throws ModelFormatException {
        JsonNode n = take(key);
        if (n != null && !n.isArray()) {
            throw wrong(key, "a list of objects", n);
        }
        List<ModelConfig> all = new ArrayList<>();
        for (int i = 0; n != null && i < n.size(); i++) {
            all.add(of(where + " " + key + "[" + i + "]", n.get(i)));
        }
        return all;
    }

    /// All keys, in the order of the file.
    public List<String> keys() {
        List<String> keys = new ArrayList<>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    /// A positive integer for each of `count` blocks: a list of as many, or one number for all.
    public int[] integersPerBlock(String key, int count, int missing) throws ModelFormatException {
        JsonNode n = node.get(key);
        if (n != null && n.isArray()) {
            int[] values = integers(key);
            if (values.length != count) {
                throw wrong(key, "one number or a list of " + count, n);
            }
            return values;
        }
        int all = has(key) ? integer(key) : missing;
        take(key);
        int[] values = new int[count];
        Arrays.fill(values, all);
        return values;
    }

    private JsonNode list(String key) throws ModelFormatException {
        JsonNode n = take(key);
        if (n == null || !n.isArray() || n.isEmpty() || n.size() > LONGEST_LIST) {
            throw wrong(key, "a non-empty list", n);
        }
        return n;
    }

    /// Insists that group normalisation can split every level's channels.
    public void requireGroups(String key, int... channels) throws ModelFormatException {
        int groups = integer(key);
        for (int width : channels) {
            if (width % groups != 0) {
                throw refuse("each of 'block_out_channels' must divide by '" + key + "', got " + width + " and " + groups);
            }
        }
    }

    /// Insists that a setting, where it is there, has the only value that this program supports.
    ///
    /// @param supported the JSON text of the value, e.g. `"silu"` with its quotes, `null`, `false`, `1.0`
    /// @throws ModelFormatException naming the key, its value and the supported one
    public void only(String key, String supported) throws IOException {
        JsonNode n = take(key);
        JsonNode wanted = JSON.readTree(supported);
        boolean same = n == null || (n.isNumber() && wanted.isNumber() ? n.doubleValue() == wanted.doubleValue() : n.equals(wanted));
        if (!same) {
            throw new ModelFormatException(where + ": '" + key + "' " + shown(n) + " is not supported, only " + supported + " is");
        }
    }

    /// Accepts keys whatever they hold: training settings and bookkeeping that inference does not read.
    public void ignore(String... keys) {
        Set.of(keys).forEach(unread::remove);
    }

    /// @throws ModelFormatException naming the keys that nobody read
    public void done() throws ModelFormatException {
        if (!unread.isEmpty()) {
            throw new ModelFormatException(where + ": not supported: " + String.join(", ", unread.stream().map(k -> "'" + k + "' " + shown(node.get(k))).toList()));
        }
    }

    /// Everything as indented JSON, what nobody read included.
    public String json() {
        return node.toPrettyString();
    }

    /// Refuses the model for a reason of its own.
    public ModelFormatException refuse(String reason) {
        return new ModelFormatException(where + ": " + reason);
    }
}
