package dev.retrograd.trainer.prompts;

import dev.retrograd.core.RandomStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// A list of prompts, from which each image of a run draws one. Knows no tokens.
///
/// @param name what logs call it: the built-in list's name or the file
/// @param prompts in order; at least one; a prompt may be empty
public record PromptSource(String name, List<String> prompts) {
    /// Stands for the prompt in a template.
    public static final String PLACEHOLDER = "{}";
    /// Keeps the draw apart from the other streams of (seed, update, image), such as the noise: "prompts" in ASCII.
    private static final long STREAM = 0x70726F6D707473L;

    /// @throws IllegalArgumentException if there is no prompt
    public PromptSource {
        prompts = List.copyOf(prompts);
        if (prompts.isEmpty()) {
            throw new IllegalArgumentException("prompts: at least one is required, got none from " + name);
        }
    }

    /// What `--prompts` asks for: a built-in list by its name, otherwise a file or folder. One of such a name can be asked for as `./animals`.
    ///
    /// Files are UTF-8: one prompt per line, without white space at its ends, blank lines skipped; or, where the name ends in `.jsonl`, one
    /// JSON string or object with a `prompt` or `text` per line; or, where it ends in `.json`, a list of these, as HPSv2's `anime.json`. Of a folder all its
    /// files that end in `.json`, `.jsonl` or `.txt`, by name.
    ///
    /// @throws IOException if there is no such list or file, or it is not as described; one sentence with the line
    public static PromptSource of(String listOrFile) throws IOException {
        Optional<BuiltInPrompts> known = BuiltInPrompts.named(listOrFile);
        if (known.isPresent()) {
            return of(known.get());
        }
        Path file = Path.of(listOrFile);
        if (!Files.exists(file)) {
            String lists = Arrays.stream(BuiltInPrompts.values()).map(BuiltInPrompts::id).collect(Collectors.joining(", "));
            throw new IOException("prompts: must be one of " + lists + " or a file or folder, got '" + listOrFile + "', which is neither");
        }
        if (!Files.isDirectory(file)) {
            return file(file);
        }
        List<String> all = new ArrayList<>();
        for (Path part : PromptFile.in(file)) {
            all.addAll(new PromptFile(part).read());
        }
        return new PromptSource(listOrFile, all);
    }

    /// A list inside the jar.
    public static PromptSource of(BuiltInPrompts list) {
        return new PromptSource(list.id(), list.prompts());
    }

    /// A file, whatever its name; as {@link #of(String)}.
    public static PromptSource file(Path file) throws IOException {
        return new PromptSource(file.toString(), new PromptFile(file).read());
    }

    /// Prompts put into a template: `a photo of a {}`.
    ///
    /// @throws IllegalArgumentException unless the template has `{}`
    public PromptSource with(String template) {
        if (!template.contains(PLACEHOLDER)) {
            throw new IllegalArgumentException("template: must contain " + PLACEHOLDER + ", where the prompt goes, got '" + template + "'");
        }
        return new PromptSource(name, prompts.stream().map(p -> template.replace(PLACEHOLDER, p)).toList());
    }

    public int size() {
        return prompts.size();
    }

    /// The prompt of one image: uniform, independent between images, the same on every call.
    ///
    /// @param image global index of the image within the update, whatever the micro-batch
    public String draw(long seed, long update, long image) {
        return prompts.get(Math.toIntExact(RandomStream.keyed(seed, STREAM, update, image).randint(0, prompts.size())));
    }

    /// The prompts of images `first` to `first + count − 1` of an update.
    public List<String> draw(long seed, long update, long first, int count) {
        return java.util.stream.LongStream.range(first, first + count).mapToObj(i -> draw(seed, update, i)).toList();
    }
}
