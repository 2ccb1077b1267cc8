package dev.retrograd.unet.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;

/// The tokenizer of CLIP's text encoder: text is repaired, put in lower case, split into words and each word into byte pairs.
///
/// Vocabulary, special tokens and length come from the files. Immutable but for a bounded cache; safe for use by several threads.
/// Source: openai/CLIP `simple_tokenizer.py`. Parity: transformers `CLIPTokenizer` with ftfy installed, or with
/// [TextCleaning#OPENAI] openai/CLIP's `tokenize(..., truncate=True)`.
public final class ClipTokenizer {
    static final String STANDARD = "dev/retrograd/unet/text/clip";

    private final Vocabulary vocabulary;
    private final Map<Integer, String> tokensById;
    private final BytePairEncoder bytePairs;
    private final TokenizerOptions options;

    private ClipTokenizer(Vocabulary vocabulary, Map<Integer, String> tokensById, BytePairEncoder bytePairs, TokenizerOptions options) {
        this.vocabulary = vocabulary;
        this.tokensById = tokensById;
        this.bytePairs = bytePairs;
        this.options = options;
    }

    /// Reads a model's tokenizer folder.
    ///
    /// @param folder with `vocab.json`, `merges.txt` and `tokenizer_config.json`; it may lie in any file system of `java.nio`
    /// @throws dev.retrograd.core.io.ModelFormatException if a file is missing or unfit; the message names it
    /// @throws IOException if reading fails
    public static ClipTokenizer load(Path folder) throws IOException {
        return load(TokenizerFiles.in(folder), folder.toString());
    }

    /// Reads a tokenizer from wherever its files are.
    ///
    /// @param place what messages call the files' folder
    /// @throws dev.retrograd.core.io.ModelFormatException if a file is missing or unfit; the message names it
    /// @throws IOException if reading fails
    public static ClipTokenizer load(TokenizerFiles files, String place) throws IOException {
        Vocabulary vocabulary = new VocabularyReader(files, place).read();
        BytePairEncoder bytePairs = new BytePairEncoder(vocabulary.merges(), vocabulary::idOf);
        TokenizerOptions options =
            new TokenizerOptions(TextCleaning.TRANSFORMERS, vocabulary.special().pad(), vocabulary.maxLength());
        return new ClipTokenizer(vocabulary, vocabulary.tokensById(), bytePairs, options);
    }

    /// The tokenizer of openai/clip-vit-large-patch14 and so of Stable Diffusion 1.x, for models whose files come without one.
    ///
    /// @throws IOException if the jar is damaged
    public static ClipTokenizer standard() throws IOException {
        return load(TokenizerFiles.resources(ClipTokenizer.class.getClassLoader(), STANDARD), "the tokenizer inside the jar");
    }

    /// Every token and its id, in the order of the ids: the content of `vocab.json`.
    SequencedMap<String, Integer> vocabulary() {
        SequencedMap<String, Integer> ids = new LinkedHashMap<>();
        new TreeMap<>(tokensById).forEach((id, token) -> ids.put(token, id));
        return ids;
    }

    /// The same vocabulary used in another way.
    public ClipTokenizer with(TokenizerOptions other) {
        return new ClipTokenizer(vocabulary, tokensById, bytePairs, other);
    }

    /// As the files say, unless changed by [#with].
    public TokenizerOptions options() {
        return options;
    }

    /// Rows that a token embedding needs for every id of this tokenizer.
    public int vocabularySize() {
        return vocabulary.size();
    }

    /// The id that begins every encoding.
    public int startId() {
        return vocabulary.special().begin();
    }

    /// The id that ends the text.
    public int endId() {
        return vocabulary.special().end();
    }

    /// The ids of a text, without start, end and padding, however many.
    public int[] encode(String text) {
        IntStream.Builder ids = IntStream.builder();
        switch (options.cleaning()) {
            case TRANSFORMERS -> encodeAroundSpecialTokens(text, ids);
            case OPENAI -> encodePlain(text, ids);
        }
        return ids.build().toArray();
    }

    /// A text as the model takes it: [TokenizerOptions#maxLength] ids.
    public Encoding tokenize(String text) {
        int[] content = encode(text);
        int[] ids = new int[options.maxLength()];
        Arrays.fill(ids, options.padId());
        int kept = Math.min(content.length, ids.length - 2);
        ids[0] = startId();
        System.arraycopy(content, 0, ids, 1, kept);
        ids[kept + 1] = endId();
        return new Encoding(ids, content.length + 2);
    }

    /// The text of token ids: lower case, words apart by spaces, without start, end and padding. Bytes that are no UTF-8 show as U+FFFD.
    ///
    /// @throws IllegalArgumentException if an id is not of this vocabulary
    public String decode(int[] ids) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int end = contentEnd(ids);
        for (int i = 0; i < end; i++) {
            if (ids[i] != startId() && ids[i] != endId()) {
                appendBytes(ids[i], bytes);
            }
        }
        return bytes.toString(StandardCharsets.UTF_8).replace(BytePairEncoder.WORD_END, " ").strip();
    }

    /// The end token, where padding of another id follows it.
    private int contentEnd(int[] ids) {
        int end = ids.length;
        while (end > 0 && ids[end - 1] == options.padId()) {
            end--;
        }
        return end > 0 && ids[end - 1] == endId() ? end : ids.length;
    }

    private void appendBytes(int id, ByteArrayOutputStream bytes) {
        String token = tokensById.get(id);
        if (token == null) {
            throw new IllegalArgumentException("decode: ids must be of the vocabulary of " + tokensById.size() + " tokens, got " + id);
        }
        for (int i = 0; i < token.length(); i++) {
            int value = ByteAlphabet.value(token.charAt(i));
            if (value < 0) {
                bytes.writeBytes(token.substring(i, i + 1).getBytes(StandardCharsets.UTF_8));
            } else {
                bytes.write(value);
            }
        }
    }

    private void encodeAroundSpecialTokens(String text, IntStream.Builder ids) {
        SpecialTokens special = vocabulary.special();
        int plainFrom = 0;
        int at = 0;
        while (at < text.length()) {
            String token = special.at(text, at);
            if (token.isEmpty()) {
                at++;
            } else {
                encodePlain(text.substring(plainFrom, at), ids);
                ids.add(special.inText().get(token));
                at += token.length();
                plainFrom = at;
            }
        }
        encodePlain(text.substring(plainFrom), ids);
    }

    private void encodePlain(String text, IntStream.Builder ids) {
        String clean = LowerCase.of(options.cleaning().clean(text));
        WordSplitter.split(clean, word -> {
            if (word.equals(WordSplitter.START_MARKER) || word.equals(WordSplitter.END_MARKER)) {
                ids.add(vocabulary.idOf(word));
            } else {
                for (int id : bytePairs.encode(word)) {
                    ids.add(id);
                }
            }
        });
    }
}
