package dev.retrograd.unet.text;

import java.util.Set;

/// Makes bytes UTF-8 again where a single byte of a character went missing in a recognisable way.
///
/// Bytes are a string of the characters U+0000..U+00FF. Parity: ftfy `restore_byte_a0`, `replace_lossy_sequences`.
final class ByteRepairs {
    private static final char NO_BREAK_SPACE = '\u00A0';
    /// U+FFFD in UTF-8.
    private static final String REPLACEMENT = "\u00EF\u00BF\u00BD";
    private static final String A_GRAVE_LEAD = "\u00C3 ";
    /// Ends of words that Portuguese does begin with à, and a following space, which stays a word's end already.
    private static final Set<String> A_GRAVE_WORD_ENDS = Set.of(" ", "quele", "quela", "quilo", "s ");

    private static final String ANY = "\u0080..\u00BF";
    /// Continuation bytes but for A0, which the rule is about, and 85, which may have been an ellipsis.
    private static final String INNER = "\u0080..\u0084\u0086..\u009F\u00A1..\u00BF";

    /// Only leads that make a likely character with A0 in the place of the space.
    private static final SequenceRules SPACE_FOR_A0 = new SequenceRules()
        .rule("\u00C2\u00C3\u00C5\u00CE\u00D0\u00D9", " ")
        .rule("\u00E2\u00E3", " ", INNER)
        .rule("\u00E0..\u00E3", INNER, " ")
        .rule("\u00F0", " ", ANY, ANY)
        .rule("\u00F0", ANY, " ", ANY)
        .rule("\u00F0", ANY, ANY, " ");

    private static final String LOST = "\u001A";
    private static final String LOST_OR_MARK = LOST + "?";
    private static final String LOST_OR_ANY = LOST + ANY;
    private static final String LOST_MARK_OR_ANY = LOST_OR_MARK + ANY;
    private static final String LEAD_OF_3 = "\u00E0..\u00EF";
    private static final String LEAD_OF_4 = "\u00F0..\u00F4";
    private static final String SURROGATE = "\u00ED";
    private static final String HIGH = "\u00A0..\u00AF";
    private static final String LOW = "\u00B0..\u00BF";

    /// A byte is lost as 1A (U+FFFD before) or, at most once in a character, as a question mark.
    private static final SequenceRules LOSSY = new SequenceRules()
        .rule("\u00C2..\u00DF", LOST)
        .rule("\u00C2\u00C3", "?")
        .rule(SURROGATE, HIGH, LOST_OR_MARK, SURROGATE, LOW, LOST_MARK_OR_ANY)
        .rule(SURROGATE, HIGH, LOST_MARK_OR_ANY, SURROGATE, LOW, LOST_OR_MARK)
        .rule(LEAD_OF_3, LOST_OR_MARK, LOST_OR_ANY)
        .rule(LEAD_OF_3, LOST_OR_ANY, LOST_OR_MARK)
        .rule(LEAD_OF_4, LOST_OR_MARK, LOST_OR_ANY, LOST_OR_ANY)
        .rule(LEAD_OF_4, LOST_OR_ANY, LOST_OR_MARK, LOST_OR_ANY)
        .rule(LEAD_OF_4, LOST_OR_ANY, LOST_OR_ANY, LOST_OR_MARK)
        .rule(LOST);

    private ByteRepairs() {}

    /// Puts byte A0 back where it was taken for a no-break space and became a plain one. After a lone lead byte C3 (à) a space is added
    /// as well, since the word à has mostly lost one of two.
    static String restoreA0(String bytes) {
        if (!SPACE_FOR_A0.foundIn(bytes)) {
            return bytes;
        }
        return SPACE_FOR_A0.replaceIn(separateWordA(bytes), sequence -> sequence.replace(' ', NO_BREAK_SPACE));
    }

    /// Replaces characters of which some bytes are lost by U+FFFD in UTF-8.
    static String replaceLossy(String bytes) {
        return LOSSY.replaceIn(bytes, sequence -> REPLACEMENT);
    }

    private static String separateWordA(String bytes) {
        StringBuilder out = new StringBuilder(bytes.length());
        int at = 0;
        int lead = bytes.indexOf(A_GRAVE_LEAD);
        while (lead >= 0) {
            int next = lead + A_GRAVE_LEAD.length();
            String rest = bytes.substring(next, Math.min(next + 5, bytes.length()));
            if (A_GRAVE_WORD_ENDS.stream().noneMatch(rest::startsWith)) {
                out.append(bytes, at, lead).append('\u00C3').append(NO_BREAK_SPACE).append(' ');
                at = next;
            }
            lead = bytes.indexOf(A_GRAVE_LEAD, next);
        }
        return out.append(bytes, at, bytes.length()).toString();
    }
}
