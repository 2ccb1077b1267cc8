package dev.retrograd.trainer.prompts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptSourceTest {
    @TempDir Path folder;

    private Path write(String name, String content) throws IOException {
        return Files.write(folder.resolve(name), content.getBytes(StandardCharsets.UTF_8));
    }

    private List<String> read(String name, String content) throws IOException {
        return PromptSource.of(write(name, content).toString()).prompts();
    }

    private void refused(String name, byte[] content, String message) throws IOException {
        Path file = Files.write(folder.resolve(name), content);
        assertEquals(file + message, assertThrows(IOException.class, () -> PromptSource.file(file)).getMessage());
    }

    private void refused(String name, String content, String message) throws IOException {
        refused(name, content.getBytes(StandardCharsets.UTF_8), message);
    }

    @Test void builtInListsAreAlignPropsOwn() throws IOException {
        PromptSource animals = PromptSource.of("animals");
        assertEquals(45, animals.size());
        assertEquals("kangaroo", animals.prompts().getLast());
        assertEquals(6, PromptSource.of("animals-eval").size());
        PromptSource hps = PromptSource.of("hps");
        assertEquals(752, hps.size());
        assertEquals(2, Collections.frequency(hps.prompts(), ""), "upstream keeps its empty lines");
        assertEquals("", hps.prompts().get(205));
        assertEquals("A man taking a drink from a water fountain.", hps.prompts().getFirst());
        assertEquals(50, PromptSource.of("hps-eval").size());
        PromptSource books = PromptSource.of("books");
        assertEquals(45, books.size());
        assertEquals("kangaroo and books", books.prompts().getLast());
        assertEquals(6, PromptSource.of("books-eval").size());
    }

    @Test void evaluationListsHoldUnseenPrompts() {
        for (BuiltInPrompts list : BuiltInPrompts.values()) {
            BuiltInPrompts unseen = list.evaluation();
            assertEquals(unseen, unseen.evaluation());
            if (list != unseen) {
                assertTrue(Collections.disjoint(PromptSource.of(list).prompts(), PromptSource.of(unseen).prompts()), list.id());
            }
        }
    }

    @Test void readsALineAsAPromptWhateverItsEnd() throws IOException {
        assertEquals(List.of("a cat", "ein Bär", "猫"), read("p.txt", "\uFEFFa cat  \r\n \t\n  ein Bär\r猫"));
    }

    @Test void readsJsonLines() throws IOException {
        assertEquals(List.of("a \"cat\"", "two\nlines", ""), read("p.JSONL", "{\"id\": 7, \"prompt\": \"a \\\"cat\\\"\"}\n\n\"two\\nlines\"\n\"\"\n"));
    }

    @Test void readsTextsOfDatasets() throws IOException {
        assertEquals(List.of("a", "b"), read("p.jsonl", "{\"text\": \"a\", \"id\": 1}\n{\"prompt\": \"b\", \"text\": \"c\"}\n"));
    }

    /// As the HPSv2 benchmark comes: a JSON list for each style.
    @Test void readsJsonListsAndFoldersOfThem() throws IOException {
        assertEquals(List.of("a girl, anime", ""), read("anime.json", "\uFEFF[\"a girl, anime\",\r\n \"\"]\n"));
        write("photo.json", "[{\"prompt\": \"a photo\"}, {\"text\": \"another\"}]");
        write("extra.txt", "one\ntwo\n");
        write("notes.md", "no prompts");
        PromptSource all = PromptSource.of(folder.toString());
        assertEquals(List.of("a girl, anime", "", "one", "two", "a photo", "another"), all.prompts());
        assertEquals(folder.toString(), all.name());
    }

    @Test void namesTheLineOfAListThatIsNoPrompt() throws IOException {
        refused("a.json", "[\"a\",\n\n 7]", ": line 3 must be a string or an object with a string 'prompt' or 'text', got NUMBER");
        refused("b.json", "[\"a\",\n {\"caption\": \"b\"}]", ": line 2 must be a string or an object with a string 'prompt' or 'text', got none");
        refused("c.json", "{\"a\": 1}", ": line 1 must begin a list of prompts, got START_OBJECT");
        refused("d.json", "", ": line 1 must begin a list of prompts, got the end");
        refused("e.json", "[]", ": at least one prompt is required, got an empty file");
        refused("f.json", "[\"a\"]\n[\"b\"]", ": line 2 must be the end of the list's file, got more");
        refused("g.json", "[\n\"a\\u0000\"]", ": line 2 must be text, got U+0000 or half of a surrogate pair");
        for (String broken : List.of("[\n\"a\"", "[\n\"a", "[\n\"a\" \"b\"]", "[\n" + "[".repeat(5000))) {
            Path file = write("h.json", broken);
            String message = assertThrows(IOException.class, () -> PromptSource.file(file)).getMessage();
            assertTrue(message.startsWith(file + ": line 2 must be JSON, got an error: "), message);
        }
    }

    @Test void namesTheLineThatIsNotUtf8() throws IOException {
        refused("latin1.txt", "one\r\ntwo\rB\u00e4r\n".getBytes(StandardCharsets.ISO_8859_1), ": prompts must be UTF-8, got byte 0xE4 in line 3");
        refused("cut.txt", new byte[] {'a', '\n', (byte) 0xE7, (byte) 0x8C}, ": prompts must be UTF-8, got byte 0xE7 in line 2");
        refused("utf16.txt", "cat".getBytes(StandardCharsets.UTF_16), ": prompts must be UTF-8, got byte 0xFE in line 1");
    }

    @Test void refusesFilesWithoutPrompts() throws IOException {
        refused("empty.txt", "", ": at least one prompt is required, got an empty file");
        refused("blank.txt", "\uFEFF \n\t\n", ": at least one prompt is required, got an empty file");
        assertEquals(folder + ": a file of prompts is required, but this is none", assertThrows(IOException.class, () -> PromptSource.file(folder)).getMessage());
        Path none = Files.createDirectory(folder.resolve("none"));
        assertEquals(none + ": a folder of prompts must have files that end in .jsonl, .json, .txt, got none", assertThrows(IOException.class, () -> PromptSource.of(none.toString())).getMessage());
        assertEquals("prompts: must be one of animals, animals-eval, books, books-eval, hps, hps-eval, world, world-eval, world-check, shapes, shapes-eval or a file or folder, got 'animal', which is neither",
                assertThrows(IOException.class, () -> PromptSource.of("animal")).getMessage());
    }

    @Test void namesTheLineThatIsNoPrompt() throws IOException {
        refused("a.jsonl", "\"a\"\n{\"caption\": \"b\"}", ": line 2 must be a string or an object with a string 'prompt' or 'text', got none");
        refused("b.jsonl", "\n7", ": line 2 must be a string or an object with a string 'prompt' or 'text', got NUMBER");
        refused("d.jsonl", "\"a\\ud800\"", ": line 1 must be text, got U+0000 or half of a surrogate pair");
        refused("e.txt", "a\n\0b", ": line 2 must be text, got U+0000 or half of a surrogate pair");
        Path file = write("c.jsonl", "\"a\" \"b\"");
        String message = assertThrows(IOException.class, () -> PromptSource.file(file)).getMessage();
        assertTrue(message.startsWith(file + ": line 1 must be JSON, got an error: "), message);
    }

    @Test void aTemplateSurroundsEveryPrompt() {
        PromptSource photos = new PromptSource("test", List.of("cat", "dog")).with("a photo of a {}, {}");
        assertEquals(List.of("a photo of a cat, cat", "a photo of a dog, dog"), photos.prompts());
        assertEquals("template: must contain {}, where the prompt goes, got 'a photo'", assertThrows(IllegalArgumentException.class, () -> photos.with("a photo")).getMessage());
    }

    @Test void drawsTheSamePromptForTheSameImage() throws IOException {
        PromptSource hps = PromptSource.of("hps");
        List<String> whole = hps.draw(3, 7, 0, 8);
        List<String> parts = new ArrayList<>(hps.draw(3, 7, 0, 3));
        parts.addAll(hps.draw(3, 7, 3, 5));
        assertEquals(whole, parts, "micro-batches draw what the batch draws");
        assertEquals(whole.get(5), hps.draw(3, 7, 5));
        assertNotEquals(whole, hps.draw(4, 7, 0, 8));
        assertNotEquals(whole, hps.draw(3, 8, 0, 8));
    }

    @Test void drawsUniformly() {
        PromptSource letters = new PromptSource("test", List.of("a", "b", "c", "d", "e"));
        int[] counts = new int[5];
        int draws = 5000;
        for (int update = 0; update < 50; update++) {
            for (String s : letters.draw(1, update, 0, draws / 50)) {
                counts[s.charAt(0) - 'a']++;
            }
        }
        double chiSquare = 0;
        for (int count : counts) {
            chiSquare += Math.pow(count - draws / 5.0, 2) / (draws / 5.0);
        }
        // 4 degrees of freedom: 18.5 is exceeded once in a thousand seeds.
        assertTrue(chiSquare < 18.5, "chi-square " + chiSquare);
        assertFalse(chiSquare == 0, "random draws are never exactly even");
    }

    @Test void everyPromptGetsDrawn() throws IOException {
        PromptSource animals = PromptSource.of("animals");
        Set<String> drawn = new HashSet<>(animals.draw(0, 0, 0, 1000));
        assertEquals(new HashSet<>(animals.prompts()), drawn);
    }
}
