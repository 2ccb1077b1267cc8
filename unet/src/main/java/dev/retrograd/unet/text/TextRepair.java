package dev.retrograd.unet.text;

import java.text.Normalizer;

/// Repairs text that came through careless hands before it is split into words: wrong encodings, HTML references, terminal colours,
/// ligatures, full-width letters, curly quotes, odd line breaks, control characters; the result is in Unicode's form NFC.
///
/// CLIP was trained on text cleaned like this; without it, pasted prompts get tokens that training never saw.
/// Source and parity: ftfy 6.3.1 `fix_text` with its default configuration.
final class TextRepair {
    /// A line longer than this, in code points, is repaired in pieces.
    private static final int MAX_SEGMENT = 1_000_000;

    private TextRepair() {}

    /// Repairs line by line. From the first line with a `<` on, HTML references are kept: the text seems to be HTML.
    static String repair(String text) {
        StringBuilder out = new StringBuilder(text.length());
        boolean unescape = true;
        int at = 0;
        while (at < text.length()) {
            int end = segmentEnd(text, at);
            String segment = text.substring(at, end);
            unescape = unescape && segment.indexOf('<') < 0;
            out.append(repairSegment(segment, unescape));
            at = end;
        }
        return out.toString();
    }

    private static int segmentEnd(String text, int start) {
        int lineFeed = text.indexOf('\n', start);
        int end = lineFeed < 0 ? text.length() : lineFeed + 1;
        boolean fits = end - start <= MAX_SEGMENT || text.codePointCount(start, end) <= MAX_SEGMENT;
        return fits ? end : text.offsetByCodePoints(start, MAX_SEGMENT);
    }

    /// One repair can uncover the need for another, hence the repetition until all of them leave the text alone.
    private static String repairSegment(String segment, boolean unescape) {
        String current = segment;
        String repaired = repairOnce(current, unescape);
        while (!repaired.equals(current)) {
            current = repaired;
            repaired = repairOnce(current, unescape);
        }
        return current;
    }

    private static String repairOnce(String text, boolean unescape) {
        String t = unescape ? HtmlEntities.unescapeClosed(text) : text;
        t = Mojibake.repair(t);
        t = CharacterRepairs.replaceC1(t);
        t = CharacterRepairs.splitLigatures(t);
        t = CharacterRepairs.standardiseWidth(t);
        t = CharacterRepairs.straightenQuotes(t);
        t = CharacterRepairs.unifyLineBreaks(t);
        t = CharacterRepairs.replaceLoneSurrogates(t);
        t = CharacterRepairs.removeTerminalEscapes(t);
        t = CharacterRepairs.removeControls(t);
        return Normalizer.normalize(t, Normalizer.Form.NFC);
    }
}
