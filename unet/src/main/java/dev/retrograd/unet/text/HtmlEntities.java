package dev.retrograd.unet.text;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Character references of HTML, `&amp;`, `&#39;`, `&#x27;`, read in two ways: cautiously for prose, or as a browser does.
///
/// Source: the HTML standard's table of named references and its rules for numbers.
final class HtmlEntities {
    private static final String TABLE = "html-entities.txt";
    private static final int CLOSED_NAME_LENGTH = 24;
    private static final int NAME_LENGTH = 32;
    private static final char REPLACEMENT = '\uFFFD';

    /// Name, mostly with its semicolon, to characters.
    private static final Map<String, String> NAMED = readTable();
    /// What [#unescapeClosed] replaces: the names with a semicolon, and small names written in capitals where that is no other name.
    private static final Map<String, String> CLOSED = closedNames();

    private HtmlEntities() {}

    /// Replaces references that end in a semicolon; `this&not that` stays. Small names may be in capitals: `&EACUTE;` is É.
    ///
    /// Parity: ftfy `unescape_html`.
    static String unescapeClosed(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        int ampersand = text.indexOf('&');
        while (ampersand >= 0) {
            int end = closedEnd(text, ampersand);
            Optional<String> characters = closedReference(text.substring(ampersand, end));
            if (characters.isPresent()) {
                out.append(text, at, ampersand).append(characters.get());
                at = end;
            }
            ampersand = text.indexOf('&', Math.max(end, ampersand + 1));
        }
        return out.append(text, at, text.length()).toString();
    }

    /// Replaces every reference a browser would, with or without semicolon: `&ampx` is `&x`.
    ///
    /// Parity: Python `html.unescape`.
    static String unescape(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        int ampersand = text.indexOf('&');
        while (ampersand >= 0) {
            out.append(text, at, ampersand);
            at = text.startsWith("#", ampersand + 1) ? number(text, ampersand, out) : name(text, ampersand, out);
            ampersand = text.indexOf('&', at);
        }
        return out.append(text, at, text.length()).toString();
    }

    /// @return the end of `&#?[0-9A-Za-z]{1,24};` at `start`, or `start` if it is none
    private static int closedEnd(String text, int start) {
        int name = text.startsWith("#", start + 1) ? start + 2 : start + 1;
        int at = name;
        while (at < text.length() && at - name <= CLOSED_NAME_LENGTH && isAlphanumeric(text.charAt(at))) {
            at++;
        }
        boolean closed = at > name && at - name <= CLOSED_NAME_LENGTH && text.startsWith(";", at);
        return closed ? at + 1 : start;
    }

    private static Optional<String> closedReference(String reference) {
        if (!reference.startsWith("&#")) {
            return reference.isEmpty() ? Optional.empty() : Optional.ofNullable(CLOSED.get(reference.substring(1)));
        }
        // A semicolon that is left shows that only a part was a number, as in &#12ab;
        String characters = unescape(reference);
        return characters.contains(";") ? Optional.empty() : Optional.of(characters);
    }

    /// Reads `&#…` at `start`.
    /// @return where reading goes on
    private static int number(String text, int start, StringBuilder out) {
        boolean hexadecimal = text.startsWith("x", start + 2) || text.startsWith("X", start + 2);
        int radix = hexadecimal ? 16 : 10;
        int first = hexadecimal ? start + 3 : start + 2;
        int at = first;
        int codePoint = 0;
        while (at < text.length() && isAlphanumeric(text.charAt(at)) && Character.digit(text.charAt(at), radix) >= 0) {
            codePoint = Math.min(codePoint * radix + Character.digit(text.charAt(at), radix), Character.MAX_CODE_POINT + 1);
            at++;
        }
        if (at == first) {
            out.append('&');
            return start + 1;
        }
        appendNumbered(codePoint, out);
        return text.startsWith(";", at) ? at + 1 : at;
    }

    /// The HTML standard's exceptions: C1 controls are Windows-1252, what cannot be a character is U+FFFD, other controls are nothing.
    private static void appendNumbered(int codePoint, StringBuilder out) {
        boolean surrogate = codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
        if (codePoint == 0 || surrogate || codePoint > Character.MAX_CODE_POINT) {
            out.append(REPLACEMENT);
        } else if (CharacterRepairs.isC1(codePoint)) {
            out.append(SingleByteEncoding.WINDOWS_1252.decode(codePoint));
        } else if (!isDropped(codePoint)) {
            out.appendCodePoint(codePoint);
        }
    }

    private static boolean isDropped(int codePoint) {
        boolean control = codePoint < 0x20 && codePoint != '\t' && codePoint != '\n' && codePoint != '\f' && codePoint != '\r';
        boolean nonCharacter = codePoint >= 0xFDD0 && codePoint <= 0xFDEF || (codePoint & 0xFFFE) == 0xFFFE;
        return control || codePoint == 0x7F || nonCharacter;
    }

    /// Reads `&name` at `start`: the whole name, else its longest beginning of at least two characters that is a name.
    /// @return where reading goes on
    private static int name(String text, int start, StringBuilder out) {
        int first = start + 1;
        int end = first;
        for (int length = 0; length < NAME_LENGTH && end < text.length() && !endsName(text.charAt(end)); length++) {
            end += Character.charCount(text.codePointAt(end));
        }
        if (end > first && text.startsWith(";", end)) {
            end++;
        }
        String whole = text.substring(first, end);
        for (int length = whole.length(); length > 1; length--) {
            String characters = NAMED.get(whole.substring(0, length));
            if (characters != null) {
                out.append(characters).append(whole, length, whole.length());
                return end;
            }
        }
        out.append('&').append(whole);
        return end;
    }

    private static boolean endsName(char c) {
        return c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' || c == ';';
    }

    private static boolean isAlphanumeric(char c) {
        return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private static Map<String, String> closedNames() {
        Map<String, String> closed = new HashMap<>();
        NAMED.forEach((name, characters) -> {
            if (name.endsWith(";")) {
                closed.put(name, characters);
                String capitals = name.toUpperCase(Locale.ROOT);
                boolean small = name.equals(name.toLowerCase(Locale.ROOT));
                if (small && unescape("&" + capitals).equals("&" + capitals)) {
                    closed.put(capitals, characters.toUpperCase(Locale.ROOT));
                }
            }
        });
        return Map.copyOf(closed);
    }

    private static Map<String, String> readTable() {
        Map<String, String> named = new HashMap<>();
        try (InputStream stream = HtmlEntities.class.getResourceAsStream(TABLE);
             BufferedReader lines = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            lines.lines().filter(line -> !line.startsWith("#")).forEach(line -> {
                for (String entry : line.split(" ")) {
                    String[] nameAndCodes = entry.split("=");
                    StringBuilder characters = new StringBuilder();
                    for (String code : nameAndCodes[1].split("\\+")) {
                        characters.appendCodePoint(Integer.parseInt(code, 16));
                    }
                    named.put(nameAndCodes[0], characters.toString());
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Map.copyOf(named);
    }
}
