package dev.retrograd.unet.text;

import java.util.Map;

/// The tokens that mark a prompt's start, end and filling, and those that the text may contain as a whole.
///
/// @param begin id of the first token of every encoding (`bos_token`)
/// @param end id of the last token of the text (`eos_token`)
/// @param unknown id of what the vocabulary lacks (`unk_token`)
/// @param pad id that fills up to the model's length (`pad_token`)
/// @param inText text to id, of every token that is recognised in a prompt before the text around it is cleaned
record SpecialTokens(int begin, int end, int unknown, int pad, Map<String, Integer> inText) {

    SpecialTokens {
        inText = Map.copyOf(inText);
    }

    /// @return the longest token that begins at `start`, or an empty text
    String at(String text, int start) {
        String longest = "";
        for (String token : inText.keySet()) {
            if (token.length() > longest.length() && text.startsWith(token, start)) {
                longest = token;
            }
        }
        return longest;
    }
}
