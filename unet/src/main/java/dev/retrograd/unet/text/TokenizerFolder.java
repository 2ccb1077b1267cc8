package dev.retrograd.unet.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.io.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Writes the folder of a tokenizer, as `CLIPTokenizer.save_pretrained` does.
public final class TokenizerFolder {
    private static final List<String> FILES = List.of("merges.txt", "tokenizer_config.json", "special_tokens_map.json");
    private static final String VOCABULARY = "vocab.json";
    private static final String PAD = "\"pad_token\": \"<|endoftext|>\"";

    private TokenizerFolder() {
    }

    /// Writes CLIP's tokenizer.
    ///
    /// @param second whether it is for SD 2.x, which fills prompts up with "!"
    /// @throws IOException if it cannot be written
    public static void writeStandard(Path folder, boolean second) throws IOException {
        Files.createDirectories(folder);
        for (String name : FILES) {
            try (InputStream in = TokenizerFiles.resources(ClipTokenizer.class.getClassLoader(), ClipTokenizer.STANDARD).open(name)
                    .orElseThrow(() -> new IOException("the jar lacks CLIP's " + name + "; it is damaged, build it again"))) {
                String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                AtomicFile.writeString(folder.resolve(name), second ? text.replace(PAD, "\"pad_token\": \"!\"") : text);
            }
        }
        AtomicFile.writeString(folder.resolve(VOCABULARY), new ObjectMapper().writeValueAsString(ClipTokenizer.standard().vocabulary()));
    }

    /// Copies a tokenizer's folder; a vocabulary that was left out is written.
    ///
    /// @throws IOException if it cannot be read or written
    public static void copy(Path from, Path to) throws IOException {
        ClipTokenizer tokenizer = ClipTokenizer.load(from);
        Files.createDirectories(to);
        for (String name : List.of("merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", VOCABULARY)) {
            if (Files.isRegularFile(from.resolve(name))) {
                AtomicFile.write(to.resolve(name), Files.readAllBytes(from.resolve(name)));
            }
        }
        if (!Files.exists(to.resolve(VOCABULARY))) {
            AtomicFile.writeString(to.resolve(VOCABULARY), new ObjectMapper().writeValueAsString(tokenizer.vocabulary()));
        }
    }
}
