package dev.retrograd.unet.text;

/// Character classes as Python's `str` and `re` draw them; Java's own differ at the edges (no-break space, U+001C..U+001F).
final class UnicodeText {
    private UnicodeText() {}

    /// Unicode's White_Space, and the four ASCII separators U+001C..U+001F. Parity: `str.isspace`, `\s` of `re`.
    static boolean isSpace(int codePoint) {
        return Character.isSpaceChar(codePoint) || codePoint >= 0x09 && codePoint <= 0x0D
            || codePoint >= 0x1C && codePoint <= 0x1F || codePoint == 0x85;
    }

    /// General category N: decimal digits, letter numbers and other numbers. Parity: `\p{N}`.
    static boolean isNumber(int codePoint) {
        int type = Character.getType(codePoint);
        return type == Character.DECIMAL_DIGIT_NUMBER || type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
    }

    /// A letter, a number or an underscore. Parity: `\w` of `re`.
    static boolean isWord(int codePoint) {
        return Character.isLetter(codePoint) || isNumber(codePoint) || codePoint == '_';
    }

    static boolean isAscii(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) > 0x7F) {
                return false;
            }
        }
        return true;
    }
}
