package dev.retrograd.unet.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToIntFunction;

/// Byte-pair encoding of one word: its UTF-8 bytes, the last one marked as the word's end, joined pair by pair in the order of the
/// merges list until no listed pair is left.
///
/// All occurrences of the pair that stands first in the list are joined, from left to right, before any pair that this creates is looked
/// at. Time is O(n log n) in the word's length. Safe for use by several threads.
/// Source: arXiv 1508.07909. Parity: `bpe` of openai/CLIP and transformers.
final class BytePairEncoder {
    static final String WORD_END = "</w>";
    private static final int MAX_CACHED_WORDS = 16_384;
    private static final int MAX_CACHED_LENGTH = 64;
    private static final int NONE = -1;

    /// Two neighbouring symbols that may become one.
    record Merge(String left, String right) {}

    private final Map<String, Integer> symbols = new HashMap<>();
    /// Rank of a pair of symbols, the first in the upper half of the key.
    private final Map<Long, Integer> ranks = new HashMap<>();
    private final int[] leftOf;
    private final int[] rightOf;
    private final int[] resultOf;
    private final int[] tokenOf;
    private final Map<String, int[]> cache = new ConcurrentHashMap<>();

    /// @param merges in the order in which they are applied; of equal ones the last counts
    /// @param tokens the id of a symbol's text, or of the unknown token
    BytePairEncoder(List<Merge> merges, ToIntFunction<String> tokens) {
        for (int b = 0; b < 256; b++) {
            symbol(String.valueOf(ByteAlphabet.glyph(b)));
        }
        for (int b = 0; b < 256; b++) {
            symbol(ByteAlphabet.glyph(b) + WORD_END);
        }
        leftOf = new int[merges.size()];
        rightOf = new int[merges.size()];
        resultOf = new int[merges.size()];
        for (int rank = 0; rank < merges.size(); rank++) {
            Merge merge = merges.get(rank);
            leftOf[rank] = symbol(merge.left());
            rightOf[rank] = symbol(merge.right());
            resultOf[rank] = symbol(merge.left() + merge.right());
            ranks.put(pair(leftOf[rank], rightOf[rank]), rank);
        }
        tokenOf = new int[symbols.size()];
        symbols.forEach((text, symbol) -> tokenOf[symbol] = tokens.applyAsInt(text));
    }

    /// @param word not empty
    /// @return token ids; not to be changed
    int[] encode(String word) {
        int[] known = cache.get(word);
        if (known != null) {
            return known;
        }
        int[] ids = new Joining(word.getBytes(StandardCharsets.UTF_8)).ids();
        if (word.length() <= MAX_CACHED_LENGTH && cache.size() < MAX_CACHED_WORDS) {
            cache.put(word, ids);
        }
        return ids;
    }

    private int symbol(String text) {
        return symbols.computeIfAbsent(text, absent -> symbols.size());
    }

    private static long pair(int left, int right) {
        return (long) left << 32 | right;
    }

    /// The symbols of one word as a linked list over positions, and the pairs that may be joined, by rank and then position.
    private final class Joining {
        private final int[] symbolAt;
        private final int[] next;
        private final int[] previous;
        private final PriorityQueue<Long> candidates = new PriorityQueue<>();

        Joining(byte[] bytes) {
            int n = bytes.length;
            symbolAt = new int[n];
            next = new int[n];
            previous = new int[n];
            for (int i = 0; i < n; i++) {
                symbolAt[i] = Byte.toUnsignedInt(bytes[i]) + (i == n - 1 ? 256 : 0);
                next[i] = i == n - 1 ? NONE : i + 1;
                previous[i] = i - 1;
            }
            for (int i = 0; i < n - 1; i++) {
                offer(i);
            }
        }

        int[] ids() {
            int[] joined = new int[symbolAt.length];
            while (!candidates.isEmpty()) {
                int rank = rankOf(candidates.peek());
                int count = 0;
                while (!candidates.isEmpty() && rankOf(candidates.peek()) == rank) {
                    int position = candidates.poll().intValue();
                    if (join(position, rank)) {
                        joined[count++] = position;
                    }
                }
                for (int i = 0; i < count; i++) {
                    offer(previous[joined[i]]);
                    offer(joined[i]);
                }
            }
            return Arrays.stream(symbolAt).filter(symbol -> symbol != NONE).map(symbol -> tokenOf[symbol]).toArray();
        }

        private boolean join(int position, int rank) {
            int right = next[position];
            boolean current = symbolAt[position] == leftOf[rank] && right != NONE && symbolAt[right] == rightOf[rank];
            if (!current) {
                return false;
            }
            symbolAt[position] = resultOf[rank];
            symbolAt[right] = NONE;
            next[position] = next[right];
            if (next[right] != NONE) {
                previous[next[right]] = position;
            }
            return true;
        }

        private void offer(int position) {
            if (position == NONE || next[position] == NONE) {
                return;
            }
            Integer rank = ranks.get(pair(symbolAt[position], symbolAt[next[position]]));
            if (rank != null) {
                candidates.add((long) rank << 32 | position);
            }
        }

        private static int rankOf(long candidate) {
            return (int) (candidate >>> 32);
        }
    }
}
