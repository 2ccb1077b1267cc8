package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.ModelFormatException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerFilesTest {
    private static final String CONFIG = """
        {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "unk_token": "<unk>", "model_max_length": 8}""";

    /// A vocabulary of few tokens with special tokens of other names: a..z, their word ends, `ab`, `ab c</w>` merged.
    private final Map<String, byte[]> contents = new HashMap<>();

    TokenizerFilesTest() throws IOException {
        Map<String, Integer> ids = new LinkedHashMap<>();
        for (String token : new String[] {"<s>", "</s>", "<unk>"}) {
            ids.put(token, ids.size());
        }
        for (char c = 'a'; c <= 'z'; c++) {
            ids.put(String.valueOf(c), ids.size());
            ids.put(c + "</w>", ids.size());
        }
        ids.put("ab", ids.size());
        ids.put("abc</w>", ids.size());
        contents.put("vocab.json", new ObjectMapper().writeValueAsBytes(ids));
        put("merges.txt", "#version: 0.2\r\na b\r\nab c</w>\r\nx y\r\n");
        put("tokenizer_config.json", CONFIG);
    }

    private void put(String name, String content) {
        contents.put(name, content.getBytes(StandardCharsets.UTF_8));
    }

    private ClipTokenizer load() throws IOException {
        return ClipTokenizer.load(name -> Optional.ofNullable(contents.get(name)).map(ByteArrayInputStream::new), "tok");
    }

    private void refused(String message) {
        assertEquals(message, assertThrows(ModelFormatException.class, this::load).getMessage());
    }

    @Test void anotherVocabularyWithOtherSpecialTokensWorks() throws IOException {
        ClipTokenizer tokenizer = load();
        assertEquals(57, tokenizer.vocabularySize());
        assertEquals(new TokenizerOptions(TextCleaning.TRANSFORMERS, 1, 8), tokenizer.options());
        assertArrayEquals(new int[] {0, 56, 3, 6, 1, 1, 1, 1}, tokenizer.tokenize("ABC ab").ids());
    }

    @Test void whatTheVocabularyLacksIsUnknown() throws IOException {
        assertArrayEquals(new int[] {2, 54, 2, 2}, load().encode("xyz 7 !"));
    }

    @Test void specialTokensInTheTextAreFoundByTheirOwnNames() throws IOException {
        assertArrayEquals(new int[] {0, 4, 1, 2}, load().encode("<s>a</s><|endoftext|>"));
    }

    @Test void anAddedTokenKeepsItsId() throws IOException {
        put("added_tokens.json", "{\"<my-cat>\": 57}");
        ClipTokenizer tokenizer = load();
        assertArrayEquals(new int[] {4, 57, 6}, tokenizer.encode("a <my-cat> b"));
        assertEquals(58, tokenizer.vocabularySize());
    }

    @Test void theSpecialTokensMapOverridesTheConfigurationUnlessThatListsAddedTokens() throws IOException {
        put("special_tokens_map.json", "{\"pad_token\": \"<unk>\"}");
        assertEquals(2, load().options().padId());
        put("tokenizer_config.json", CONFIG.replace("{\"bos", "{\"added_tokens_decoder\": {\"0\": {\"content\": \"<s>\"}}, \"bos"));
        assertEquals(1, load().options().padId());
    }

    @Test void readsFromAFolderAndFromAZip(@TempDir Path folder) throws IOException {
        try (FileSystem zip = FileSystems.newFileSystem(folder.resolve("model.zip"), Map.of("create", "true"))) {
            Files.createDirectory(zip.getPath("/tokenizer"));
            for (Map.Entry<String, byte[]> file : contents.entrySet()) {
                Files.write(folder.resolve(file.getKey()), file.getValue());
                Files.write(zip.getPath("/tokenizer", file.getKey()), file.getValue());
            }
            int[] ids = load().encode("abc");
            assertArrayEquals(ids, ClipTokenizer.load(folder).encode("abc"));
            assertArrayEquals(ids, ClipTokenizer.load(zip.getPath("/tokenizer")).encode("abc"));
        }
    }

    @Test void namesTheMissingFile(@TempDir Path empty) {
        byte[] merges = contents.remove("merges.txt");
        refused("tok/merges.txt: the file is required, got none");
        contents.put("merges.txt", merges);
        contents.remove("vocab.json");
        refused("tok/vocab.json: the file is required, got none");
        ModelFormatException e = assertThrows(ModelFormatException.class, () -> ClipTokenizer.load(empty));
        assertEquals(empty + "/tokenizer_config.json: the file is required, got none", e.getMessage());
    }

    @Test void refusesAVocabularyThatIsNone() {
        put("vocab.json", "{\"a\": 1");
        String message = assertThrows(ModelFormatException.class, this::load).getMessage();
        assertTrue(message.startsWith("tok/vocab.json: JSON is required, got Unexpected end-of-input"), message);
        put("vocab.json", "");
        refused("tok/vocab.json: a JSON object is required, got an empty file");
        put("vocab.json", "[1]");
        refused("tok/vocab.json: a JSON object is required, got ARRAY");
        put("vocab.json", "{}");
        refused("tok/vocab.json: tokens are required, got none");
        put("vocab.json", "{\"a\": 1.5}");
        refused("tok/vocab.json: the id of token 'a' must be a whole number from 0, got 1.5");
        put("vocab.json", "{\"a\": -1}");
        refused("tok/vocab.json: the id of token 'a' must be a whole number from 0, got -1");
        put("vocab.json", "{\"a\": 1, \"b\": 1}");
        refused("tok/vocab.json: every token must have its own id, got 1 for 'a' and 'b'");
    }

    @Test void refusesMergesThatAreNoPairs() {
        put("merges.txt", "#version: 0.2\na b\nabc\n");
        refused("tok/merges.txt: line 3 must have two parts, got 'abc'");
        contents.put("merges.txt", new byte[] {'a', (byte) 0xFF});
        refused("tok/merges.txt: UTF-8 is required, got other bytes");
    }

    @Test void refusesSpecialTokensOutsideTheVocabulary() {
        put("tokenizer_config.json", CONFIG.replace("\"<s>\"", "\"<begin>\""));
        refused("tok/vocab.json: the bos_token '<begin>' is required, got no such token");
        put("tokenizer_config.json", CONFIG.replace("\"<s>\"", "7"));
        refused("tok/tokenizer_config.json: bos_token must be a token's text, got 7");
        put("tokenizer_config.json", "{\"model_max_length\": 8}");
        refused("tok/vocab.json: the bos_token '<|startoftext|>' is required, got no such token");
    }

    @Test void refusesLengthsAndSidesItCannotServe() {
        put("tokenizer_config.json", CONFIG.replace("8}", "1}"));
        refused("tok/tokenizer_config.json: model_max_length must be 2..1048576, got 1");
        put("tokenizer_config.json", CONFIG.replace(", \"model_max_length\": 8", ""));
        refused("tok/tokenizer_config.json: model_max_length must be 2..1048576, got none");
        put("tokenizer_config.json", CONFIG.replace("8}", "8, \"padding_side\": \"left\"}"));
        refused("tok/tokenizer_config.json: padding_side must be right, got left");
        put("tokenizer_config.json", CONFIG.replace("\"lstrip\": false", "\"single_word\": true"));
        refused("tok/tokenizer_config.json: eos_token must not have single_word, got true for '</s>'");
    }

    @Test void optionsAreChecked() {
        assertEquals("tokenizer: maxLength must be 2 or more, got 1",
            assertThrows(IllegalArgumentException.class, () -> new TokenizerOptions(TextCleaning.OPENAI, 0, 1)).getMessage());
        assertEquals("tokenizer: padId must be 0 or more, got -1",
            assertThrows(IllegalArgumentException.class, () -> new TokenizerOptions(TextCleaning.OPENAI, -1, 77)).getMessage());
    }
}
