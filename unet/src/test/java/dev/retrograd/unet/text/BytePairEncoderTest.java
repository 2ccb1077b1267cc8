package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BytePairEncoderTest {
    private final List<String> seen = new ArrayList<>();

    /// Ids are places in [#seen], so that a test reads symbols back.
    private BytePairEncoder encoder(String... pairs) {
        List<BytePairEncoder.Merge> merges = new ArrayList<>();
        for (String pair : pairs) {
            String[] parts = pair.split(" ");
            merges.add(new BytePairEncoder.Merge(parts[0], parts[1]));
        }
        return new BytePairEncoder(merges, symbol -> {
            seen.add(symbol);
            return seen.size() - 1;
        });
    }

    private List<String> symbols(BytePairEncoder encoder, String word) {
        return IntStream.of(encoder.encode(word)).mapToObj(seen::get).toList();
    }

    @Test void mergesInTheOrderOfTheListNotOfTheWord() {
        assertEquals(List.of("a", "bc</w>"), symbols(encoder("b c</w>", "a b"), "abc"));
        seen.clear();
        assertEquals(List.of("ab", "c</w>"), symbols(encoder("a b", "b c</w>"), "abc"));
    }

    @Test void overlappingPairsMergeFromTheLeft() {
        assertEquals(List.of("aa", "aa", "a</w>"), symbols(encoder("a a"), "aaaaa"));
    }

    @Test void aPairCreatedByAMergeWaitsUntilAllItsOccurrencesAreMerged() {
        assertEquals(List.of("xab", "c", "ab", "d</w>"), symbols(encoder("x ab", "a b"), "xabcabd"));
    }

    @Test void bytesBeyondAsciiAreSpelledInTheByteAlphabet() {
        assertEquals(List.of("Ã", "©</w>"), symbols(encoder(), "é"));
        assertEquals(List.of("ä", "¸", "Ń</w>"), symbols(encoder(), "中"));
    }

    @Test void agreesWithMergingPairByPair() {
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            List<BytePairEncoder.Merge> merges = randomMerges(random);
            String[] pairs = merges.stream().map(merge -> merge.left() + " " + merge.right()).toArray(String[]::new);
            seen.clear();
            BytePairEncoder encoder = encoder(pairs);
            String word = random.ints(1 + random.nextInt(30), 'a', 'd').mapToObj(c -> String.valueOf((char) c)).collect(Collectors.joining());
            assertEquals(naive(word, merges), symbols(encoder, word), word + " " + merges);
        }
    }

    private static List<BytePairEncoder.Merge> randomMerges(Random random) {
        List<String> known = new ArrayList<>(List.of("a", "b", "c", "a</w>", "b</w>", "c</w>"));
        List<BytePairEncoder.Merge> merges = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            String left = known.get(random.nextInt(known.size()));
            String right = known.get(random.nextInt(known.size()));
            if (!left.endsWith("</w>")) {
                merges.add(random.nextInt(merges.size() + 1), new BytePairEncoder.Merge(left, right));
                known.add(left + right);
            }
        }
        return merges;
    }

    private static List<String> naive(String word, List<BytePairEncoder.Merge> merges) {
        List<String> symbols = new ArrayList<>(word.chars().mapToObj(c -> String.valueOf((char) c)).toList());
        symbols.set(symbols.size() - 1, symbols.getLast() + "</w>");
        while (true) {
            List<String> current = symbols;
            int best = IntStream.range(0, symbols.size() - 1)
                .map(i -> merges.lastIndexOf(new BytePairEncoder.Merge(current.get(i), current.get(i + 1))))
                .filter(rank -> rank >= 0).min().orElse(-1);
            if (best < 0) {
                return symbols;
            }
            BytePairEncoder.Merge merge = merges.get(best);
            List<String> merged = new ArrayList<>();
            for (int i = 0; i < symbols.size(); i++) {
                boolean pair = i + 1 < symbols.size() && symbols.get(i).equals(merge.left()) && symbols.get(i + 1).equals(merge.right());
                merged.add(pair ? merge.left() + merge.right() : symbols.get(i));
                i += pair ? 1 : 0;
            }
            symbols = merged;
        }
    }

    @Test void aVeryLongWordIsNoProblem() {
        BytePairEncoder encoder = encoder("a a", "aa aa", "aaaa aaaa");
        int[] ids = assertTimeout(Duration.ofSeconds(5), () -> encoder.encode("a".repeat(200_000)));
        assertEquals(24_999 + 4, ids.length, "eights, then 4, 2, 1 and the word's end");
    }
}
