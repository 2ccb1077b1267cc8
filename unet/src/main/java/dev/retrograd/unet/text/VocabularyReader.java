package dev.retrograd.unet.text;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.retrograd.core.io.JsonError;
import dev.retrograd.core.io.ModelFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Reads the files that `CLIPTokenizer.save_pretrained` writes.
///
/// Required are `vocab.json` (unless `merges.txt` is CLIP's own), `merges.txt` and `tokenizer_config.json`; `special_tokens_map.json` and `added_tokens.json` are read where
/// they exist. As upstream, the map of special tokens overrides the configuration unless the latter has `added_tokens_decoder`. A merge
/// whose result the vocabulary lacks is accepted, as upstream does: its result encodes as the unknown token. The flags `lstrip` and
/// `rstrip` of special tokens have no effect, since white space never becomes a token; `single_word` is refused.
final class VocabularyReader {
    private static final String VOCAB = "vocab.json";
    private static final String MERGES = "merges.txt";
    private static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL = "special_tokens_map.json";
    private static final String ADDED = "added_tokens.json";

    private static final String ADDED_DECODER = "added_tokens_decoder";
    private static final String LENGTH = "model_max_length";
    /// Upstream reads no more: CLIP's 49152 tokens less 256 bytes and 2 special tokens, as it counts them.
    private static final int MAX_MERGES = 49_152 - 256 - 2;
    private static final String WORD_END = "</w>";
    /// Every byte inside a word and at its end.
    private static final int BYTE_TOKENS = 512;
    /// Vocabularies with a few tokens that no merge makes exist.
    private static final double LEAST_SPELT = 0.9;
    private static final int MIN_LENGTH = 2;
    /// `model_max_length` of a tokenizer without limit is about 1e30; nothing here is longer than this.
    private static final int LENGTH_LIMIT = 1 << 20;

    private static final ObjectMapper JSON = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    private final TokenizerFiles files;
    private final String place;

    /// @param place the files' folder, for messages
    VocabularyReader(TokenizerFiles files, String place) {
        this.files = files;
        this.place = place;
    }

    Vocabulary read() throws IOException {
        JsonNode config = requiredObject(CONFIG);
        JsonNode specialMap = config.has(ADDED_DECODER) ? JSON.createObjectNode() : optionalObject(SPECIAL);
        rightSided(config, "padding_side");
        rightSided(config, "truncation_side");

        List<BytePairEncoder.Merge> merges = merges();
        Map<String, Integer> ids = vocabulary(merges);
        Map<String, Integer> inText = addedTokens(config);
        inText.forEach(ids::putIfAbsent);
        rejectSharedIds(ids);

        Optional<String> unknownName = specialName("unk_token", specialMap, config);
        int begin = specialId("bos_token", WordSplitter.START_MARKER, specialMap, config, ids, inText);
        int end = specialId("eos_token", WordSplitter.END_MARKER, specialMap, config, ids, inText);
        int pad = specialName("pad_token", specialMap, config).isEmpty() ? end
            : specialId("pad_token", "", specialMap, config, ids, inText);
        int unknown = unknownName.isEmpty() ? ids.getOrDefault(WordSplitter.END_MARKER, end)
            : specialId("unk_token", "", specialMap, config, ids, inText);
        SpecialTokens special = new SpecialTokens(begin, end, unknown, pad, inText);
        requireWhole(ids, inText, merges);
        return new Vocabulary(ids, merges, special, maxLength(config));
    }

    /// CLIP's own vocabulary follows from its merges, as openai/CLIP makes it: bytes inside a word, bytes at its end, what each merge
    /// gives, begin and end. So its `vocab.json` need not be there.
    private Map<String, Integer> vocabulary(List<BytePairEncoder.Merge> merges) throws IOException {
        Optional<byte[]> written = content(VOCAB);
        if (written.isPresent() || merges.size() != MAX_MERGES) {
            return ids(VOCAB, requiredObject(VOCAB));
        }
        List<String> tokens = new ArrayList<>();
        ByteAlphabet.inVocabularyOrder().forEach(tokens::add);
        tokens.stream().map(b -> b + WORD_END).toList().forEach(tokens::add);
        merges.forEach(m -> tokens.add(m.left() + m.right()));
        tokens.addAll(List.of(WordSplitter.START_MARKER, WordSplitter.END_MARKER));
        Map<String, Integer> ids = new HashMap<>();
        for (String token : tokens) {
            ids.put(token, ids.size());
        }
        return ids;
    }

    /// A vocabulary that has every byte was learnt with its merges: half of a file of merges would silently spell words in other tokens.
    private void requireWhole(Map<String, Integer> ids, Map<String, Integer> inText, List<BytePairEncoder.Merge> merges) throws ModelFormatException {
        Set<String> made = new HashSet<>();
        merges.forEach(m -> made.add(m.left() + m.right()));
        List<String> words = ids.keySet().stream().filter(token -> !inText.containsKey(token) && token.replace(WORD_END, "").length() > 1).toList();
        long spelt = words.stream().filter(made::contains).count();
        boolean byteLevel = ids.size() - words.size() >= BYTE_TOKENS;
        if (byteLevel && spelt < words.size() * LEAST_SPELT) {
            throw bad(MERGES, "merges for the vocabulary's " + words.size() + " tokens of more than a byte are required, got them for " + spelt + " (is the file truncated?)");
        }
    }

    private void rightSided(JsonNode config, String key) throws ModelFormatException {
        String side = config.path(key).asText("right");
        if (!side.equals("right")) {
            throw bad(CONFIG, key + " must be right, got " + side);
        }
    }

    private Map<String, Integer> ids(String file, JsonNode object) throws ModelFormatException {
        Map<String, Integer> ids = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : object.properties()) {
            JsonNode id = entry.getValue();
            if (!id.isInt() || id.intValue() < 0) {
                throw bad(file, "the id of token '" + entry.getKey() + "' must be a whole number from 0, got " + id);
            }
            ids.put(entry.getKey(), id.intValue());
        }
        if (ids.isEmpty() && file.equals(VOCAB)) {
            throw bad(file, "tokens are required, got none");
        }
        return ids;
    }

    private void rejectSharedIds(Map<String, Integer> ids) throws ModelFormatException {
        Map<Integer, String> seen = new HashMap<>();
        for (Map.Entry<String, Integer> entry : ids.entrySet()) {
            String other = seen.put(entry.getValue(), entry.getKey());
            if (other != null) {
                throw bad(VOCAB, "every token must have its own id, got " + entry.getValue() + " for '" + other + "' and '"
                    + entry.getKey() + "'");
            }
        }
    }

    /// Tokens that were added after training, for example by textual inversion.
    private Map<String, Integer> addedTokens(JsonNode config) throws IOException {
        Map<String, Integer> added = new HashMap<>(ids(ADDED, optionalObject(ADDED)));
        for (Map.Entry<String, JsonNode> entry : config.path(ADDED_DECODER).properties()) {
            String content = content(CONFIG, ADDED_DECODER, entry.getValue());
            try {
                added.put(content, Integer.parseUnsignedInt(entry.getKey()));
            } catch (NumberFormatException e) {
                throw bad(CONFIG, ADDED_DECODER + " must have ids as keys, got '" + entry.getKey() + "'");
            }
        }
        if (added.containsKey("")) {
            throw bad(CONFIG, "an added token must have text, got an empty one");
        }
        return added;
    }

    /// The text of a special token, which is written as a string or as an object with `content`.
    private Optional<String> specialName(String key, JsonNode specialMap, JsonNode config) throws ModelFormatException {
        String file = specialMap.has(key) ? SPECIAL : CONFIG;
        JsonNode value = specialMap.has(key) ? specialMap.get(key) : config.path(key);
        return value.isMissingNode() || value.isNull() ? Optional.empty() : Optional.of(content(file, key, value));
    }

    private String content(String file, String key, JsonNode token) throws ModelFormatException {
        JsonNode content = token.isObject() ? token.path("content") : token;
        if (!content.isTextual() || content.textValue().isEmpty()) {
            throw bad(file, key + " must be a token's text, got " + token);
        }
        if (token.path("single_word").asBoolean(false)) {
            throw bad(file, key + " must not have single_word, got true for '" + content.textValue() + "'");
        }
        return content.textValue();
    }

    private int specialId(String key, String byDefault, JsonNode specialMap, JsonNode config, Map<String, Integer> ids,
                          Map<String, Integer> inText) throws ModelFormatException {
        String name = specialName(key, specialMap, config).orElse(byDefault);
        Integer id = ids.get(name);
        if (id == null) {
            throw bad(VOCAB, "the " + key + " '" + name + "' is required, got no such token");
        }
        inText.put(name, id);
        return id;
    }

    private int maxLength(JsonNode config) throws ModelFormatException {
        JsonNode length = config.path(LENGTH);
        if (!length.isInt() || length.intValue() < MIN_LENGTH || length.intValue() > LENGTH_LIMIT) {
            throw bad(CONFIG, LENGTH + " must be " + MIN_LENGTH + ".." + LENGTH_LIMIT + ", got "
                + (length.isMissingNode() ? "none" : length));
        }
        return length.intValue();
    }

    /// One pair a line after a first line that names the format's version.
    private List<BytePairEncoder.Merge> merges() throws IOException {
        List<String> lines = text(MERGES).strip().lines().toList();
        List<BytePairEncoder.Merge> merges = new ArrayList<>();
        for (int line = 1; line < lines.size() && merges.size() < MAX_MERGES; line++) {
            String[] parts = lines.get(line).strip().split("\\s+");
            if (parts.length != 2) {
                throw bad(MERGES, "line " + (line + 1) + " must have two parts, got '" + lines.get(line) + "'");
            }
            merges.add(new BytePairEncoder.Merge(parts[0], parts[1]));
        }
        return merges;
    }

    private JsonNode requiredObject(String name) throws IOException {
        return object(name, required(name));
    }

    private JsonNode optionalObject(String name) throws IOException {
        Optional<byte[]> content = content(name);
        return content.isPresent() ? object(name, content.get()) : JSON.createObjectNode();
    }

    private JsonNode object(String name, byte[] content) throws IOException {
        JsonNode node;
        try {
            node = JSON.readTree(content);
        } catch (JacksonException e) {
            throw bad(name, "JSON is required, got " + JsonError.of(e));
        }
        if (!node.isObject()) {
            throw bad(name, "a JSON object is required, got " + (node.isMissingNode() ? "an empty file" : node.getNodeType()));
        }
        return node;
    }

    private String text(String name) throws IOException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(required(name))).toString();
        } catch (CharacterCodingException e) {
            throw bad(name, "UTF-8 is required, got other bytes");
        }
    }

    private byte[] required(String name) throws IOException {
        Optional<byte[]> content = content(name);
        if (content.isEmpty()) {
            throw bad(name, "the file is required, got none");
        }
        return content.get();
    }

    private Optional<byte[]> content(String name) throws IOException {
        Optional<InputStream> stream = files.open(name);
        if (stream.isEmpty()) {
            return Optional.empty();
        }
        try (InputStream in = stream.get()) {
            return Optional.of(in.readAllBytes());
        }
    }

    private ModelFormatException bad(String file, String what) {
        return new ModelFormatException(place + "/" + file + ": " + what);
    }
}
