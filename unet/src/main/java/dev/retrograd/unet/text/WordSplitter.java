package dev.retrograd.unet.text;

import java.util.List;
import java.util.function.Consumer;

/// Splits lower-case text into the words that byte pairs are merged within: special markers, English contractions, runs of letters, single
/// numerals, runs of anything else that is not white space.
///
/// Parity: the pattern of openai/CLIP's `SimpleTokenizer` and of `CLIPTokenizer`, which ignores case.
final class WordSplitter {
    /// Recognised in any vocabulary.
    static final String START_MARKER = "<|startoftext|>";
    static final String END_MARKER = "<|endoftext|>";

    private static final List<String> FIXED = List.of(START_MARKER, END_MARKER, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d");
    /// The one character that Unicode's case folding turns into an ASCII letter of [#FIXED] and lower-casing does not.
    private static final char LONG_S = 'ſ';
    /// A combining mark whose other case, ι, is a letter: to a pattern that ignores case it is neither a letter nor anything else.
    private static final int IOTA_SUBSCRIPT = 0x0345;

    private WordSplitter() {}

    /// @param text in lower case
    static void split(String text, Consumer<String> words) {
        int at = 0;
        while (at < text.length()) {
            int end = wordEnd(text, at);
            if (end == at) {
                at += Character.charCount(text.codePointAt(at));
            } else {
                words.accept(text.substring(at, end));
                at = end;
            }
        }
    }

    /// @return `start` where no word begins
    private static int wordEnd(String text, int start) {
        for (String fixed : FIXED) {
            if (isAt(fixed, text, start)) {
                return start + fixed.length();
            }
        }
        int first = text.codePointAt(start);
        int end = start + Character.charCount(first);
        return switch (kind(first)) {
            case SEPARATOR -> start;
            case NUMBER -> end;
            case Kind run -> {
                while (end < text.length() && kind(text.codePointAt(end)) == run) {
                    end += Character.charCount(text.codePointAt(end));
                }
                yield end;
            }
        };
    }

    private enum Kind { SEPARATOR, LETTER, NUMBER, OTHER }

    private static Kind kind(int codePoint) {
        if (Character.isLetter(codePoint)) {
            return Kind.LETTER;
        }
        if (UnicodeText.isNumber(codePoint)) {
            return Kind.NUMBER;
        }
        return isSeparator(codePoint) ? Kind.SEPARATOR : Kind.OTHER;
    }

    private static boolean isSeparator(int codePoint) {
        boolean informationSeparator = codePoint >= 0x1C && codePoint <= 0x1F;
        return codePoint == IOTA_SUBSCRIPT || UnicodeText.isSpace(codePoint) && !informationSeparator;
    }

    private static boolean isAt(String fixed, String text, int start) {
        if (start + fixed.length() > text.length()) {
            return false;
        }
        for (int i = 0; i < fixed.length(); i++) {
            char c = text.charAt(start + i);
            if ((c == LONG_S ? 's' : c) != fixed.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
