package dev.retrograd.unet.text;

import java.text.Normalizer;
import java.util.HashMap;
import java.util.Map;

/// Repairs that look at single characters: each replaces what seldom is meant by what is.
///
/// Parity: the functions of ftfy 6.3's `fixes` named at each method.
final class CharacterRepairs {
    private static final char ESCAPE = '\u001B';
    private static final char REPLACEMENT = '\uFFFD';
    private static final char FIRST_WIDE = '\uFF01';
    private static final char LAST_WIDE = '\uFFEF';

    private static final GlyphSet CONTROLS = GlyphSet.of(
        "\u0000..\u0008\u000B\u000E..\u001F\u007F\u206A..\u206F\uFEFF\uFFF9..\uFFFC");

    /// Typographic ligatures of Latin letters, and digraphs that exist for the sake of old encodings.
    private static final Map<Character, String> LIGATURES = Map.ofEntries(
        Map.entry('Ĳ', "IJ"), Map.entry('ĳ', "ij"), Map.entry('ŉ', "\u02BCn"),
        Map.entry('Ǳ', "DZ"), Map.entry('ǲ', "Dz"), Map.entry('ǳ', "dz"),
        Map.entry('Ǆ', "DŽ"), Map.entry('ǅ', "Dž"), Map.entry('ǆ', "dž"),
        Map.entry('Ǉ', "LJ"), Map.entry('ǈ', "Lj"), Map.entry('ǉ', "lj"),
        Map.entry('Ǌ', "NJ"), Map.entry('ǋ', "Nj"), Map.entry('ǌ', "nj"),
        Map.entry('ﬀ', "ff"), Map.entry('ﬁ', "fi"), Map.entry('ﬂ', "fl"), Map.entry('ﬃ', "ffi"), Map.entry('ﬄ', "ffl"),
        Map.entry('ﬅ', "ſt"), Map.entry('ﬆ', "st"));

    private static final Map<Character, String> STANDARD_WIDTH = standardWidth();

    private CharacterRepairs() {}

    static boolean isC1(int codePoint) {
        return codePoint >= 0x80 && codePoint <= 0x9F;
    }

    /// C1 controls become the Windows-1252 characters of the same number, five unassigned ones excepted. Parity: `fix_c1_controls`.
    static String replaceC1(String text) {
        StringBuilder out = new StringBuilder(text);
        for (int i = 0; i < out.length(); i++) {
            if (isC1(out.charAt(i))) {
                out.setCharAt(i, SingleByteEncoding.WINDOWS_1252.decode(out.charAt(i)));
            }
        }
        return out.toString();
    }

    /// Parity: `fix_latin_ligatures`.
    static String splitLigatures(String text) {
        return translate(text, LIGATURES);
    }

    /// Full-width Latin and half-width katakana and hangul take their usual width. Parity: `fix_character_width`.
    static String standardiseWidth(String text) {
        return translate(text, STANDARD_WIDTH);
    }

    /// Parity: `uncurl_quotes`.
    static String straightenQuotes(String text) {
        StringBuilder out = new StringBuilder(text);
        for (int i = 0; i < out.length(); i++) {
            switch (out.charAt(i)) {
                case '\u02BC', '\u2018', '\u2019', '\u201A', '\u201B' -> out.setCharAt(i, '\'');
                case '\u201C', '\u201D', '\u201E', '\u201F' -> out.setCharAt(i, '"');
                default -> { }
            }
        }
        return out.toString();
    }

    /// Every line break becomes a line feed. Parity: `fix_line_breaks`.
    static String unifyLineBreaks(String text) {
        return text.replace("\r\n", "\n").replace('\r', '\n').replace('\u2028', '\n').replace('\u2029', '\n').replace('\u0085', '\n');
    }

    /// Half a surrogate pair becomes U+FFFD; whole pairs are characters in Java already. Parity: `fix_surrogates`.
    static String replaceLoneSurrogates(String text) {
        StringBuilder out = new StringBuilder(text);
        int i = 0;
        while (i < out.length()) {
            int codePoint = out.codePointAt(i);
            if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
                out.setCharAt(i, REPLACEMENT);
            }
            i += Character.charCount(codePoint);
        }
        return out.toString();
    }

    /// Removes `ESC [ digits and semicolons letter`, the sequences that colour a terminal. Parity: `remove_terminal_escapes`.
    static String removeTerminalEscapes(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            int end = terminalEscapeEnd(text, at);
            if (end == at) {
                out.append(text.charAt(at++));
            } else {
                at = end;
            }
        }
        return out.toString();
    }

    private static int terminalEscapeEnd(String text, int start) {
        if (text.charAt(start) != ESCAPE || !text.startsWith("[", start + 1)) {
            return start;
        }
        int at = start + 2;
        while (at < text.length() && (text.charAt(at) == ';' || Character.isDigit(text.codePointAt(at)))) {
            at += Character.charCount(text.codePointAt(at));
        }
        boolean letter = at < text.length()
            && (text.charAt(at) >= 'a' && text.charAt(at) <= 'z' || text.charAt(at) >= 'A' && text.charAt(at) <= 'Z');
        return letter ? at + 1 : start;
    }

    /// Removes controls that show nothing; white space, joiners, directions and C1 stay. Parity: `remove_control_chars`.
    static String removeControls(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            if (!CONTROLS.test(text.charAt(i))) {
                out.append(text.charAt(i));
            }
        }
        return out.toString();
    }

    private static Map<Character, String> standardWidth() {
        Map<Character, String> map = new HashMap<>();
        map.put('\u3000', " ");
        for (char wide = FIRST_WIDE; wide <= LAST_WIDE; wide++) {
            String standard = Normalizer.normalize(String.valueOf(wide), Normalizer.Form.NFKC);
            if (!standard.equals(String.valueOf(wide))) {
                map.put(wide, standard);
            }
        }
        return Map.copyOf(map);
    }

    private static String translate(String text, Map<Character, String> map) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            String replacement = c > 0x7F ? map.get(c) : null;
            if (replacement == null) {
                out.append(c);
            } else {
                out.append(replacement);
            }
        }
        return out.toString();
    }
}
