package dev.retrograd.unet.text;

import java.util.Optional;

/// Strict UTF-8, and the two common ways of getting it wrong: CESU-8 (a surrogate pair written as two three-byte sequences) and Java's
/// two-byte `C0 80` for U+0000.
///
/// Parity: ftfy `utf-8-variants`, including that a last line feed stands in for the last byte of such a sequence.
final class Utf8Variants {
    private static final int SURROGATE_LEAD = 0xED;
    private static final int NULL_LEAD = 0xC0;

    private final String bytes;
    private final StringBuilder out;
    private int at;

    private Utf8Variants(String bytes) {
        this.bytes = bytes;
        this.out = new StringBuilder(bytes.length());
    }

    /// @param bytes one character U+0000..U+00FF for each byte
    /// @return the text, or nothing if the bytes are no such encoding
    static Optional<String> decode(String bytes) {
        Utf8Variants decoder = new Utf8Variants(bytes);
        while (decoder.at < bytes.length()) {
            if (!decoder.decodeNext()) {
                return Optional.empty();
            }
        }
        return Optional.of(decoder.out.toString());
    }

    private boolean decodeNext() {
        int lead = bytes.charAt(at);
        if (lead < 0x80) {
            return append(lead, 1);
        }
        if (lead == NULL_LEAD) {
            return (byteAt(1) == 0x80 || isLastLineFeed(1)) && append(0, 2);
        }
        if (lead == SURROGATE_LEAD && byteAt(1) >= 0xA0) {
            return decodeSurrogatePair();
        }
        if (lead >= 0xC2 && lead <= 0xDF) {
            return continues(1) && append((lead & 0x1F) << 6 | low(1), 2);
        }
        if (lead >= 0xE0 && lead <= 0xEF) {
            boolean shortest = lead != 0xE0 || byteAt(1) >= 0xA0;
            return continues(1) && continues(2) && shortest && append((lead & 0x0F) << 12 | low(1) << 6 | low(2), 3);
        }
        if (lead >= 0xF0 && lead <= 0xF4) {
            boolean inRange = (lead != 0xF0 || byteAt(1) >= 0x90) && (lead != 0xF4 || byteAt(1) <= 0x8F);
            return continues(1) && continues(2) && continues(3) && inRange
                && append((lead & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4);
        }
        return false;
    }

    /// `ED A0..AF xx ED B0..BF xx`: ten bits of the code point in each half.
    private boolean decodeSurrogatePair() {
        boolean pair = byteAt(1) <= 0xAF && continues(2) && byteAt(3) == SURROGATE_LEAD
            && byteAt(4) >= 0xB0 && byteAt(4) <= 0xBF && (continues(5) || isLastLineFeed(5));
        if (!pair) {
            return false;
        }
        int high = (byteAt(1) & 0x0F) << 6 | low(2);
        int low = (byteAt(4) & 0x0F) << 6 | low(5);
        return append(0x10000 + (high << 10 | low), 6);
    }

    private boolean append(int codePoint, int length) {
        out.appendCodePoint(codePoint);
        at += length;
        return true;
    }

    private int byteAt(int offset) {
        return at + offset < bytes.length() ? bytes.charAt(at + offset) : -1;
    }

    private boolean continues(int offset) {
        return (byteAt(offset) & ~0x3F) == 0x80;
    }

    private int low(int offset) {
        return byteAt(offset) & 0x3F;
    }

    private boolean isLastLineFeed(int offset) {
        return at + offset == bytes.length() - 1 && byteAt(offset) == '\n';
    }
}
