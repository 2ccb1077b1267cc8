package dev.retrograd.trainer.prompts;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
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

/// Reads prompts from a user's file: one per line, or JSON Lines where the name ends in `.jsonl`. UTF-8, with or without a byte order mark.
final class PromptFile {
    private static final ObjectMapper JSON = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
    private static final Pattern LINE_END = Pattern.compile("\r\n|\r|\n");
    private static final char BYTE_ORDER_MARK = '\uFEFF';
    private static final int LARGEST_BYTES = 256 << 20;

    private final Path file;

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
        boolean json = file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".jsonl");
        List<String> prompts = new ArrayList<>();
        String[] lines = LINE_END.split(text);
        for (int i = 0; i < lines.length; i++) {
            if (!lines[i].isBlank()) {
                prompts.add(json ? fromJson(lines[i], i + 1) : lines[i].strip());
                requireText(prompts.getLast(), i + 1);
            }
        }
        if (prompts.isEmpty()) {
            throw new IOException(file + ": at least one prompt is required, got an empty file");
        }
        return prompts;
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
            throw new IOException(file + ": line " + number + " must be JSON, got an error: " + e.getOriginalMessage(), e);
        }
        JsonNode prompt = node.isObject() ? node.path("prompt") : node;
        if (!prompt.isTextual()) {
            throw new IOException(file + ": line " + number + " must be a string or an object with a string 'prompt', got " + (prompt.isMissingNode() ? "none" : prompt.getNodeType()));
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
