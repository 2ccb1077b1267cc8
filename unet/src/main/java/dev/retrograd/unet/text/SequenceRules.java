package dev.retrograd.unet.text;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;

/// Short sequences of characters to look for, each a list of the characters allowed at every place.
///
/// Where several rules match at one place, the first one added wins. Bytes are searched as a string of the characters U+0000..U+00FF.
final class SequenceRules {
    private static final int NO_MATCH = -1;

    private final List<IntPredicate[]> rules = new ArrayList<>();

    /// Adds a rule: one condition per character.
    SequenceRules rule(IntPredicate... places) {
        rules.add(places);
        return this;
    }

    /// Adds a rule written as one [GlyphSet] per argument.
    SequenceRules rule(String... places) {
        IntPredicate[] sets = new IntPredicate[places.length];
        for (int i = 0; i < places.length; i++) {
            sets[i] = GlyphSet.of(places[i]);
        }
        return rule(sets);
    }

    boolean foundIn(CharSequence text) {
        for (int at = 0; at < text.length(); at++) {
            if (matchEnd(text, at) != NO_MATCH) {
                return true;
            }
        }
        return false;
    }

    boolean matchesAt(CharSequence text, int start) {
        return matchEnd(text, start) != NO_MATCH;
    }

    /// @return the end of as many matches in a row as `start` begins; `start` itself where there is none
    int runEnd(CharSequence text, int start) {
        int end = start;
        int next = matchEnd(text, end);
        while (next != NO_MATCH) {
            end = next;
            next = matchEnd(text, end);
        }
        return end;
    }

    /// Replaces every match, from left to right and without overlap.
    String replaceIn(String text, UnaryOperator<String> repair) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            int end = matchEnd(text, at);
            if (end == NO_MATCH) {
                out.append(text.charAt(at++));
            } else {
                out.append(repair.apply(text.substring(at, end)));
                at = end;
            }
        }
        return out.toString();
    }

    private int matchEnd(CharSequence text, int start) {
        for (IntPredicate[] rule : rules) {
            int at = start;
            int place = 0;
            while (place < rule.length && at < text.length()) {
                int codePoint = Character.codePointAt(text, at);
                if (!rule[place].test(codePoint)) {
                    break;
                }
                at += Character.charCount(codePoint);
                place++;
            }
            if (place == rule.length) {
                return at;
            }
        }
        return NO_MATCH;
    }
}
