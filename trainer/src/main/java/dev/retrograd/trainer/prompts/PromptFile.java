package dev.retrograd.trainer.prompts;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.retrograd.core.io.JsonError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Reads prompts from a user's file: one per line, JSON Lines where the name ends in `.jsonl`, or a JSON list where it ends in `.json`, as HPSv2 publishes
/// its own. UTF-8, with or without a byte order mark.
final class PromptFile {
    private static final ObjectMapper JSON = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
    /// Of one value among others.
    private static final ObjectReader ENTRY = JSON.reader().without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final Pattern LINE_END = Pattern.compile("\r\n|\r|\n");
    private static final char BYTE_ORDER_MARK = '\uFEFF';
    private static final int LARGEST_BYTES = 256 << 20;

    private static final String JSON_LINES = ".jsonl";
    private static final String JSON_LIST = ".json";
    private static final List<String> ENDINGS = List.of(JSON_LINES, JSON_LIST, ".txt");

    private final Path file;

    /// The files with prompts in a folder, by name.
    ///
    /// @throws IOException if it cannot be read, or has none
    static List<Path> in(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            List<Path> files = entries.filter(f -> ENDINGS.stream().anyMatch(lowerCaseName(f)::endsWith)).sorted().toList();
            if (files.isEmpty()) {
                throw new IOException(folder + ": a folder of prompts must have files that end in " + String.join(", ", ENDINGS) + ", got none");
            }
            return files;
        }
    }

    private static String lowerCaseName(Path file) {
        return file.getFileName().toString().toLowerCase(Locale.ROOT);
    }

    PromptFile(Path file) {
        this.file = file;
    }

    /// Prompts in the file's order: at least one.
    ///
    /// @throws IOException if it cannot be read, is not UTF-8, has a line that is no prompt, or has none; one sentence with the file and the line
    List<String> read() throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": a file of prompts is required, but " + (Files.exists(file) ? "this is none" : "there is none"));
        }
        if (Files.size(file) > LARGEST_BYTES) {
            throw new IOException(file + ": a file of prompts must be at most " + LARGEST_BYTES + " bytes, got " + Files.size(file));
        }
        String text = decode(Files.readAllBytes(file));
        boolean json = lowerCaseName(file).endsWith(JSON_LINES);
        List<String> prompts = lowerCaseName(file).endsWith(JSON_LIST) ? list(text) : lines(text, json);
        if (prompts.isEmpty()) {
            throw new IOException(file + ": at least one prompt is required, got an empty file");
        }
        return prompts;
    }

    private List<String> lines(String text, boolean json) throws IOException {
        List<String> prompts = new ArrayList<>();
        String[] lines = LINE_END.split(text);
        for (int i = 0; i < lines.length; i++) {
            if (!lines[i].isBlank()) {
                prompts.add(json ? fromJson(lines[i], i + 1) : lines[i].strip());
                requireText(prompts.getLast(), i + 1);
            }
        }
        return prompts;
    }

    private List<String> list(String text) throws IOException {
        try (JsonParser parser = JSON.createParser(text)) {
            try {
                return list(parser);
            } catch (JsonProcessingException e) {
                JsonLocation at = e.getLocation() == null ? parser.currentLocation() : e.getLocation();
                throw new IOException(file + ": line " + at.getLineNr() + " must be JSON, got an error: " + JsonError.of(e), e);
            }
        }
    }

    private List<String> list(JsonParser parser) throws IOException {
        if (parser.nextToken() != JsonToken.START_ARRAY) {
            throw new IOException(file + ": line " + line(parser) + " must begin a list of prompts, got " + (parser.currentToken() == null ? "the end" : parser.currentToken()));
        }
        List<String> prompts = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            int number = line(parser);
            JsonNode entry = ENTRY.readTree(parser);
            prompts.add(fromJson(entry, number));
            requireText(prompts.getLast(), number);
        }
        if (parser.nextToken() != null) {
            throw new IOException(file + ": line " + line(parser) + " must be the end of the list's file, got more");
        }
        return prompts;
    }

    private static int line(JsonParser parser) {
        return parser.currentTokenLocation().getLineNr();
    }

    private String decode(byte[] bytes) throws IOException {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        CharBuffer chars = CharBuffer.allocate(bytes.length);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CoderResult result = decoder.decode(in, chars, true);
        String text = chars.flip().toString();
        if (result.isError()) {
            int line = (int) LINE_END.matcher(text).results().count() + 1;
            throw new IOException(file + ": prompts must be UTF-8, got byte 0x" + String.format("%02X", bytes[in.position()]) + " in line " + line);
        }
        return text.isEmpty() || text.charAt(0) != BYTE_ORDER_MARK ? text : text.substring(1);
    }

    /// A prompt that is given in JSON may be empty: that is how to ask for it.
    private String fromJson(String line, int number) throws IOException {
        JsonNode node;
        try {
            node = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            throw new IOException(file + ": line " + number + " must be JSON, got an error: " + JsonError.of(e), e);
        }
        return fromJson(node, number);
    }

    private String fromJson(JsonNode node, int number) throws IOException {
        JsonNode prompt = node.isObject() ? node.path(node.has("prompt") ? "prompt" : "text") : node;
        if (!prompt.isTextual()) {
            throw new IOException(file + ": line " + number + " must be a string or an object with a string 'prompt' or 'text', got " + (prompt.isMissingNode() ? "none" : prompt.getNodeType()));
        }
        return prompt.textValue();
    }

    /// What no file or image can carry as text: U+0000 and halves of surrogate pairs (which JSON can escape).
    private void requireText(String prompt, int number) throws IOException {
        boolean text = prompt.codePoints().noneMatch(c -> c == 0 || c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        if (!text) {
            throw new IOException(file + ": line " + number + " must be text, got U+0000 or half of a surrogate pair");
        }
    }
}
