package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ClipTokenizerTest {
    private static final int START = 49406;
    private static final int END = 49407;
    private static ClipTokenizer tokenizer;
    private static ClipTokenizer openAi;
    private static JsonNode golden;

    @BeforeAll static void load() throws IOException {
        tokenizer = ClipTokenizer.load(Golden.path("ci-sd/model/tokenizer"));
        openAi = tokenizer.with(new TokenizerOptions(TextCleaning.OPENAI, 0, 77));
        golden = new ObjectMapper().readTree(Golden.path("ci-sd/tokens.json").toFile());
    }

    /// The reference folder has no `vocab.json`, to keep the repository small.
    @Test void clipsVocabularyFollowsFromItsMerges() {
        assertEquals(49_408, tokenizer.vocabularySize());
        assertEquals(49_406, tokenizer.startId());
        assertEquals(49_407, tokenizer.endId());
        assertEquals("!", tokenizer.decode(new int[] {0}));
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
    }

    @Test void agreesWithTransformersOnEveryGoldenPrompt() {
        assertEquals(46, golden.size());
        for (JsonNode row : golden) {
            String prompt = row.get("prompt").textValue();
            Encoding encoding = tokenizer.tokenize(prompt);
            assertArrayEquals(ints(row.get("input_ids")), encoding.ids(), prompt);
            assertEquals(row.get("untruncated_length").intValue(), encoding.untruncatedLength(), prompt);
        }
    }

    @Test void agreesWithOpenAiOnEveryGoldenPrompt() {
        for (JsonNode row : golden) {
            String prompt = row.get("prompt").textValue();
            assertArrayEquals(ints(row.get("openai_input_ids")), openAi.tokenize(prompt).ids(), prompt);
        }
    }

    @Test void takesSpecialTokensAndLengthFromTheFiles() {
        assertEquals(START, tokenizer.startId());
        assertEquals(END, tokenizer.endId());
        assertEquals(new TokenizerOptions(TextCleaning.TRANSFORMERS, END, 77), tokenizer.options());
        assertEquals(49408, tokenizer.vocabularySize());
    }

    @Test void aPromptOf75TokensFitsAndOneMoreIsCut() {
        Encoding fits = tokenizer.tokenize("word ".repeat(75));
        assertFalse(fits.truncated());
        Encoding cut = tokenizer.tokenize("word ".repeat(76));
        assertTrue(cut.truncated());
        assertEquals(78, cut.untruncatedLength());
        assertArrayEquals(fits.ids(), cut.ids());
        assertEquals(END, cut.ids()[76]);
    }

    @Test void textAroundASpecialTokenIsRepairedForItself() {
        int[] lessThan = tokenizer.encode("<");
        assertArrayEquals(new int[] {START, lessThan[0], END}, tokenizer.encode("<|startoftext|>&lt;<|endoftext|>"));
        assertArrayEquals(tokenizer.encode("& x"), withoutLast(tokenizer.encode("&amp; x<|endoftext|>")));
    }

    private static int[] withoutLast(int[] ids) {
        assertEquals(END, ids[ids.length - 1]);
        return Arrays.copyOf(ids, ids.length - 1);
    }

    @Test void markersInCapitalsAreSpecialTokensToo() {
        assertArrayEquals(new int[] {END}, tokenizer.encode("<|EndOfText|>"));
    }

    @Test void onlyOpenAiResolvesReferencesInHtml() {
        assertArrayEquals(openAi.encode("<b>é</b>"), openAi.encode("<b>&eacute;</b>"));
        assertFalse(Arrays.equals(tokenizer.encode("<b>é</b>"), tokenizer.encode("<b>&eacute;</b>")));
    }

    @Test void decodesWhatItEncoded() {
        assertEquals("a café , 日本 🐱", tokenizer.decode(tokenizer.tokenize("A café, 日本 🐱").ids()));
        assertEquals("wow !", openAi.decode(openAi.tokenize("Wow!").ids()));
        assertEquals("", tokenizer.decode(new int[0]));
    }

    @Test void refusesToDecodeForeignIds() {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {49408}));
        assertEquals("decode: ids must be of the vocabulary of 49408 tokens, got 49408", e.getMessage());
    }

    @Test void staysFastOnLongPrompts() {
        List<String> prompts = List.of("a very long prompt ".repeat(600), "x".repeat(10_000), "schÃ¶n ".repeat(1500), "!?".repeat(5000),
            "日本".repeat(5000), "&amp;".repeat(2000), "&" + "amp;".repeat(2500), "<|".repeat(5000), "Σ'".repeat(5000), "Ã".repeat(10_000));
        for (String prompt : prompts) {
            assertTimeout(Duration.ofSeconds(5), () -> tokenizer.tokenize(prompt), prompt.substring(0, 20));
        }
    }

    @Test void threadsShareATokenizer() throws InterruptedException, ExecutionException {
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> runs = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                runs.add(threads.submit(this::agreesWithTransformersOnEveryGoldenPrompt));
            }
            for (Future<?> run : runs) {
                run.get();
            }
        }
    }
}
