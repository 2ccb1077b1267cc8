package dev.retrograd.unet.text;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What a tokenizer's files say: tokens and their ids, merges, special tokens, the model's length.
///
/// @param ids token to id, added tokens included
/// @param merges in the order in which they are applied
/// @param special ids of the special tokens
/// @param maxLength tokens of an encoding, special ones included
record Vocabulary(Map<String, Integer> ids, List<BytePairEncoder.Merge> merges, SpecialTokens special, int maxLength) {

    Vocabulary {
        ids = Map.copyOf(ids);
        merges = List.copyOf(merges);
    }

    int idOf(String token) {
        return ids.getOrDefault(token, special.unknown());
    }

    /// One more than the largest id: the rows that a token embedding must have.
    int size() {
        return ids.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
    }

    Map<Integer, String> tokensById() {
        Map<Integer, String> tokens = new HashMap<>();
        ids.forEach((token, id) -> tokens.put(id, token));
        return tokens;
    }
}
