package dev.retrograd.trainer.prompts;

import dev.retrograd.trainer.pretrain.WorldPrompts;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// The prompt lists inside the jar: AlignProp's own (where they come from and their licence: `golden/prompts/README.md`), and captions of the miniature's world.
public enum BuiltInPrompts {
    /// 45 animals, bare nouns
    ANIMALS("animals", () -> lines("simple_animals.txt")),
    /// 6 animals that are not in the training list
    ANIMALS_EVAL("animals-eval", () -> lines("eval_simple_animals.txt")),
    /// 45 animals with what concept removal takes away, `kangaroo and books`; the paper's `<concept> and books` (arXiv 2310.03739, §5)
    BOOKS("books", () -> andBooks("simple_animals.txt")),
    /// 6 animals with books that are not in the training list
    BOOKS_EVAL("books-eval", () -> andBooks("eval_simple_animals.txt")),
    /// 752 sentences of the HPS v2 benchmark, two of them empty, as upstream trains on them
    HPS("hps", () -> lines("hps_v2_all.txt")),
    /// 50 sentences of the HPS v2 benchmark that are not in the training list
    HPS_EVAL("hps-eval", () -> lines("hps_v2_all_eval.txt")),
    /// 45 captions of the miniature's world
    WORLD("world", WorldPrompts::training),
    /// 12 captions of shapes in colours that the miniature never saw together
    WORLD_EVAL("world-eval", WorldPrompts::heldOut),
    /// 256 other captions of such combinations, to measure by
    WORLD_CHECK("world-check", WorldPrompts::check),
    /// 24 shapes of the miniature's world, colour and shape alone
    SHAPES("shapes", WorldPrompts::shapes),
    /// 24 others, a third of them combinations that the miniature never saw
    SHAPES_EVAL("shapes-eval", WorldPrompts::otherShapes);

    private final String id;
    private final Supplier<List<String>> prompts;

    BuiltInPrompts(String id, Supplier<List<String>> prompts) {
        this.id = id;
        this.prompts = prompts;
    }

    /// What `--prompts` calls it.
    public String id() {
        return id;
    }

    /// The list that `--prompts` calls by this name.
    public static Optional<BuiltInPrompts> named(String id) {
        return Arrays.stream(values()).filter(p -> p.id.equals(id)).findFirst();
    }

    /// The list of unseen prompts that belongs to this one; itself if it is one.
    public BuiltInPrompts evaluation() {
        return switch (this) {
            case ANIMALS, ANIMALS_EVAL -> ANIMALS_EVAL;
            case BOOKS, BOOKS_EVAL -> BOOKS_EVAL;
            case HPS, HPS_EVAL -> HPS_EVAL;
            case WORLD, WORLD_EVAL -> WORLD_EVAL;
            case SHAPES, SHAPES_EVAL -> SHAPES_EVAL;
            case WORLD_CHECK -> WORLD_CHECK;
        };
    }

    /// Its prompts, in order.
    List<String> prompts() {
        return prompts.get();
    }

    private static List<String> andBooks(String file) {
        return lines(file).stream().map(concept -> concept + " and books").toList();
    }

    /// A file's lines, white space at both ends removed, empty ones kept. Parity: AlignProp `prompts.py`.
    private static List<String> lines(String file) {
        try (InputStream in = BuiltInPrompts.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException("prompts: the jar must contain " + file + ", got none; it was not built as a whole");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().map(String::strip).toList();
        } catch (IOException e) {
            throw new UncheckedIOException("prompts: " + file + " in the jar cannot be read: " + e.getMessage(), e);
        }
    }
}
