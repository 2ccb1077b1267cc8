package dev.retrograd.unet.text;

import java.util.Optional;

/// Undoes the decoding of UTF-8 (or Windows-1252) text in the wrong encoding: `schÃ¶n` becomes `schön`.
///
/// Parity: ftfy 6.3 `fix_encoding` with its default configuration.
final class Mojibake {
    private static final GlyphSet STRICT_CONTINUATION = GlyphSet.of("\u0080..¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ..šŤťŸ..žƒˆˇ˘˛..˝"
        + "΄..ΆΈ..ΊΌΎΏЁ..ЌЎЏё..ќўџҐґ†‡‰‹›€№™");
    /// Adds what honest text also has beside such letters: spaces, dashes, quotation marks, bullets, ellipses.
    private static final GlyphSet CONTINUATION = STRICT_CONTINUATION.plus(" –..―‘’‚“”„•…");
    private static final GlyphSet LEAD_OF_2 = GlyphSet.of("Â..ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ..ΡΣ..ίВ..Я");
    private static final GlyphSet LEAD_OF_3 = GlyphSet.of("à..ïāăąćčďēėęěģīįķĺļŕźΰ..οа..п");
    private static final GlyphSet LEAD_OF_4 = GlyphSet.of("ðóđğšπσру");

    /// One character of UTF-8 as any of the single-byte encodings shows it.
    private static final SequenceRules EMBEDDED = new SequenceRules()
        .rule(LEAD_OF_2, CONTINUATION)
        .rule(LEAD_OF_3, CONTINUATION, CONTINUATION)
        .rule(LEAD_OF_4, CONTINUATION, CONTINUATION, CONTINUATION);

    private Mojibake() {}

    /// Repairs until nothing changes, since text can be broken more than once.
    static String repair(String text) {
        String current = text;
        String repaired = repairOnce(current);
        while (!repaired.equals(current)) {
            current = repaired;
            repaired = repairOnce(current);
        }
        return current;
    }

    private static String repairOnce(String text) {
        if (UnicodeText.isAscii(text) || !BadSequences.isBad(text)) {
            return text;
        }
        Optional<String> whole = reread(text);
        if (whole.isPresent()) {
            return whole.get();
        }
        String inParts = repairEmbedded(text);
        if (!inParts.equals(text)) {
            return inParts;
        }
        // What is left may be Latin-1 that was meant as Windows-1252.
        return CharacterRepairs.replaceC1(text);
    }

    /// Looks for an encoding that the text can be written in and that makes it UTF-8.
    private static Optional<String> reread(String text) {
        for (SingleByteEncoding encoding : SingleByteEncoding.values()) {
            Optional<String> decoded = encoding.encode(text).flatMap(bytes -> decodeUtf8(bytes, encoding));
            if (decoded.isPresent()) {
                return decoded;
            }
        }
        return Optional.empty();
    }

    private static Optional<String> decodeUtf8(String bytes, SingleByteEncoding encoding) {
        // MacRoman has the en dash where others have a lead byte; with a space after it, that is honest text.
        String restored = encoding == SingleByteEncoding.MAC_ROMAN ? bytes : ByteRepairs.restoreA0(bytes);
        return Utf8Variants.decode(encoding.isLenient() ? ByteRepairs.replaceLossy(restored) : restored);
    }

    /// Repairs the parts that look like UTF-8 each for itself, for text put together from several sources. A part right after a stray
    /// continuation character is left alone: it is the end of something longer.
    private static String repairEmbedded(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            boolean starts = at == 0 || !STRICT_CONTINUATION.test(text.charAt(at - 1));
            int end = starts ? EMBEDDED.runEnd(text, at) : at;
            if (end == at) {
                out.append(text.charAt(at++));
            } else {
                String part = text.substring(at, end);
                boolean wholeText = part.length() == text.length();
                out.append(!wholeText && BadSequences.isBad(part) ? repair(part) : part);
                at = end;
            }
        }
        return out.toString();
    }
}
