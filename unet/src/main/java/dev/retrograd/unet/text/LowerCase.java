package dev.retrograd.unet.text;

/// Lower case without regard to language.
///
/// Java's own differs in the Greek sigma, whose form at a word's end it finds by word boundaries; here, as in the Unicode standard, by the
/// letters around it. Source: Unicode standard, section 3.13, SpecialCasing.txt. Parity: Python `str.lower`.
final class LowerCase {
    private static final int SIGMA = 'Σ';
    private static final int DOTTED_I = 'İ';
    /// Punctuation inside words, which does not end them (Word_Break MidLetter, MidNumLet, Single_Quote).
    private static final GlyphSet INSIDE_WORDS =
        GlyphSet.of("'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A");

    private LowerCase() {}

    static String of(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            int codePoint = text.codePointAt(at);
            switch (codePoint) {
                case SIGMA -> out.append(endsWord(text, at) ? 'ς' : 'σ');
                case DOTTED_I -> out.append("i\u0307");
                default -> out.appendCodePoint(Character.toLowerCase(codePoint));
            }
            at += Character.charCount(codePoint);
        }
        return out.toString();
    }

    /// A letter with case before, none after; what case ignores lies between.
    private static boolean endsWord(String text, int sigma) {
        int before = sigma;
        boolean letterBefore = false;
        while (before > 0) {
            int codePoint = text.codePointBefore(before);
            before -= Character.charCount(codePoint);
            if (!isIgnored(codePoint)) {
                letterBefore = isCased(codePoint);
                break;
            }
        }
        int after = sigma + 1;
        while (after < text.length() && isIgnored(text.codePointAt(after))) {
            after += Character.charCount(text.codePointAt(after));
        }
        return letterBefore && (after == text.length() || !isCased(text.codePointAt(after)));
    }

    private static boolean isCased(int codePoint) {
        return Character.isLowerCase(codePoint) || Character.isUpperCase(codePoint) || Character.isTitleCase(codePoint);
    }

    private static boolean isIgnored(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT, Character.MODIFIER_LETTER,
                 Character.MODIFIER_SYMBOL -> true;
            default -> INSIDE_WORDS.test(codePoint);
        };
    }
}
