package dev.retrograd.trainer.pretrain;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.unet.text.ByteAlphabet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The miniature model's own vocabulary in the files of a CLIP tokenizer: all bytes, and every word of its captions as one token.
///
/// The merges are learned on those words, the most frequent pair first and of equal ones the alphabetically first, until each word is one
/// token; hence the order in which CLIP's tokenizer applies them joins each word again. Source: arXiv 1508.07909, algorithm 1.
final class WorldTokenizer {
    /// Tokens of an encoding, start and end included.
    public static final int MAX_LENGTH = 24;
    private static final String BEGIN = "<|startoftext|>";
    private static final String END = "<|endoftext|>";
    private static final String WORD_END = "</w>";
    private static final int BYTES = 256;

    private final Map<String, Integer> vocabulary = new LinkedHashMap<>();
    private final List<Pair> merges;

    private record Pair(String left, String right) implements Comparable<Pair> {
        @Override public int compareTo(Pair o) {
            return left.equals(o.left) ? right.compareTo(o.right) : left.compareTo(o.left);
        }
    }

    /// @param words in lower case, ASCII
    public WorldTokenizer(List<String> words) {
        for (int b = 0; b < BYTES; b++) {
            vocabulary.put(String.valueOf(ByteAlphabet.glyph(b)), b);
        }
        for (int b = 0; b < BYTES; b++) {
            vocabulary.put(ByteAlphabet.glyph(b) + WORD_END, BYTES + b);
        }
        merges = learned(words);
        merges.forEach(m -> vocabulary.putIfAbsent(m.left + m.right, vocabulary.size()));
        vocabulary.put(BEGIN, vocabulary.size());
        vocabulary.put(END, vocabulary.size());
    }

    private static List<Pair> learned(List<String> words) {
        List<List<String>> split = new ArrayList<>(words.stream().map(WorldTokenizer::symbols).toList());
        List<Pair> merges = new ArrayList<>();
        while (true) {
            Map<Pair, Integer> counts = new TreeMap<>();
            for (List<String> symbols : split) {
                for (int i = 0; i + 1 < symbols.size(); i++) {
                    counts.merge(new Pair(symbols.get(i), symbols.get(i + 1)), 1, Integer::sum);
                }
            }
            if (counts.isEmpty()) {
                return merges;
            }
            Pair best = counts.entrySet().stream().reduce((a, b) -> b.getValue() > a.getValue() ? b : a).orElseThrow().getKey();
            merges.add(best);
            split.replaceAll(symbols -> joined(symbols, best));
        }
    }

    private static List<String> symbols(String word) {
        List<String> symbols = new ArrayList<>(word.chars().mapToObj(c -> String.valueOf((char) c)).toList());
        symbols.set(symbols.size() - 1, symbols.getLast() + WORD_END);
        return symbols;
    }

    private static List<String> joined(List<String> symbols, Pair pair) {
        List<String> out = new ArrayList<>();
        for (int i = 0; i < symbols.size(); i++) {
            boolean here = i + 1 < symbols.size() && symbols.get(i).equals(pair.left) && symbols.get(i + 1).equals(pair.right);
            out.add(here ? pair.left + pair.right : symbols.get(i));
            i += here ? 1 : 0;
        }
        return out;
    }

    /// Number of tokens.
    public int size() {
        return vocabulary.size();
    }

    public int beginId() {
        return vocabulary.get(BEGIN);
    }

    /// The id that ends a text and fills it up.
    public int endId() {
        return vocabulary.get(END);
    }

    /// Writes `vocab.json`, `merges.txt`, `tokenizer_config.json` and `special_tokens_map.json`.
    public void write(Path folder) throws IOException {
        Configs.write(folder.resolve("vocab.json"), new ObjectMapper().writeValueAsString(vocabulary));
        StringBuilder lines = new StringBuilder("#version: 0.2\n");
        merges.forEach(m -> lines.append(m.left).append(' ').append(m.right).append('\n'));
        Configs.write(folder.resolve("merges.txt"), lines.toString());
        String special = """
                  "bos_token": "%1$s",
                  "eos_token": "%2$s",
                  "pad_token": "%2$s",
                  "unk_token": "%2$s\"""".formatted(BEGIN, END);
        Configs.write(folder.resolve("special_tokens_map.json"), "{\n" + special + "\n}\n");
        Configs.write(folder.resolve("tokenizer_config.json"), """
                {
                  "add_prefix_space": false,
                %s,
                  "do_lower_case": true,
                  "errors": "replace",
                  "model_max_length": %d,
                  "tokenizer_class": "CLIPTokenizer"
                }
                """.formatted(special, MAX_LENGTH));
    }
}
