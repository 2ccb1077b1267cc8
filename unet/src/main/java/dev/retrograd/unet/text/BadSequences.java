package dev.retrograd.unet.text;

import static dev.retrograd.unet.text.GlyphSet.union;

/// Tells text that was decoded in the wrong encoding (mojibake) from text that was not.
///
/// A few hundred characters make up all mojibake of UTF-8. Sorted by the role they play in honest text, some of them hardly ever stand
/// side by side there: a currency sign after an accented small letter, an accented capital after punctuation that closes. One such
/// sequence makes a text suspect. Source and parity: ftfy 6.3 `is_bad`, whose categories and sequences these are.
final class BadSequences {
    private static final GlyphSet COMMON = GlyphSet.of("\u00a0\u00ad´·–..―’…");
    private static final GlyphSet C1 = GlyphSet.of("\u0080..\u009f");
    private static final GlyphSet BAD = GlyphSet.of("¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd");
    private static final GlyphSet LAW = GlyphSet.of("§¶");
    private static final GlyphSet CURRENCY = GlyphSet.of("¢£¥₧€");
    /// Punctuation that opens something; U+F8FF is the Apple logo of MacRoman.
    private static final GlyphSet OPENING = GlyphSet.of("¡©«¿΄΅‘‚“„•‹\uf8ff");
    private static final GlyphSet CLOSING = GlyphSet.of("®»˝”›™");
    private static final GlyphSet NUMERIC = GlyphSet.of("±..³µ¹¼..¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥");
    /// Letters that faces are made of, which excuses odd company.
    private static final GlyphSet KAOMOJI = GlyphSet.of("°Ò..ÖÙ..Üò..öø..üŌŐŪŲ");
    private static final GlyphSet UPPER_ACCENTED = GlyphSet.of("À..ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ");
    private static final GlyphSet LOWER_ACCENTED = GlyphSet.of("ß..ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ");
    private static final GlyphSet UPPER_COMMON = GlyphSet.of("ÞΆΈ..ΊΌΎΏΑ..ΫЁ..Я");
    private static final GlyphSet LOWER_COMMON = GlyphSet.of("ά..ωа..џ");
    private static final GlyphSet BOX = GlyphSet.of("│┌┐┘├┤┬┼═..╬▀▄█▌▐..▓");

    private static final GlyphSet ACCENTED = union(LOWER_ACCENTED, UPPER_ACCENTED);
    private static final GlyphSet PUNCTUATION = union(OPENING, CLOSING);
    private static final GlyphSet LETTERS = GlyphSet.of("a..zA..Z");
    private static final GlyphSet SMALL = GlyphSet.of("a..z");
    private static final GlyphSet SPACE = GlyphSet.of(" ");
    private static final GlyphSet BESIDE_BAD = union(ACCENTED, BOX, PUNCTUATION, CURRENCY, NUMERIC, LAW);
    private static final GlyphSet AFTER_ARABIC_LEAD = union(COMMON, CURRENCY, BAD, NUMERIC, OPENING).plus("ŸŠ®°µ»");
    private static final GlyphSet BETWEEN_LEADS = union(C1, BAD, PUNCTUATION, CURRENCY).plus("°");
    private static final GlyphSet A_CIRCUMFLEX_OR_TILDE = GlyphSet.of("ÃÂ");

    private static final SequenceRules ANYWHERE = categories(new SequenceRules());
    private static final SequenceRules AT_START = new SequenceRules().rule(A_CIRCUMFLEX_OR_TILDE, SPACE);

    static {
        windows1252(ANYWHERE);
        otherEncodings(ANYWHERE);
    }

    private BadSequences() {}

    static boolean isBad(String text) {
        return AT_START.matchesAt(text, 0) || ANYWHERE.foundIn(text);
    }

    private static SequenceRules categories(SequenceRules rules) {
        return rules
            .rule(C1)
            .rule(union(BESIDE_BAD, BAD), BAD)
            .rule(LETTERS, union(LOWER_COMMON, UPPER_COMMON), BAD)
            .rule(BAD, BESIDE_BAD)
            .rule(union(LOWER_ACCENTED, LOWER_COMMON, BOX, CLOSING, CURRENCY, NUMERIC), UPPER_ACCENTED)
            .rule(union(BOX, CLOSING, CURRENCY, NUMERIC), LOWER_ACCENTED)
            .rule(union(LOWER_ACCENTED, BOX, CLOSING), CURRENCY)
            .rule(UnicodeText::isSpace, UPPER_ACCENTED, CURRENCY)
            .rule(union(UPPER_ACCENTED, BOX), union(NUMERIC, LAW))
            .rule(union(ACCENTED, BOX, CURRENCY, CLOSING), OPENING, NUMERIC)
            .rule(union(ACCENTED, CURRENCY, NUMERIC, BOX, LAW), CLOSING, OPENING)
            .rule(union(CURRENCY, NUMERIC, BOX), OPENING)
            .rule(SMALL, UPPER_ACCENTED, union(OPENING, CURRENCY))
            .rule(BOX, KAOMOJI)
            .rule(union(ACCENTED, CURRENCY, NUMERIC, PUNCTUATION, LAW), BOX)
            .rule(BOX, CLOSING)
            .rule(ACCENTED, PUNCTUATION, UnicodeText::isWord);
    }

    private static void windows1252(SequenceRules rules) {
        GlyphSet ligature = GlyphSet.of("Œœ");
        rules
            .rule(ligature, next -> !LETTERS.test(next))
            .rule(UPPER_ACCENTED, GlyphSet.of("°"))
            .rule(GlyphSet.of("ÂÃÎÐ"), PUNCTUATION.plus("€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´"))
            .rule("×", "²³")
            // Arabic. Each half alone is too common, hence two in a row.
            .rule(GlyphSet.of("ØÙ"), AFTER_ARABIC_LEAD, GlyphSet.of("ØÙ"), AFTER_ARABIC_LEAD)
            // The scripts of South Asia, three bytes a letter.
            .rule("à", "²µ¹¼½¾")
            // à, á and the no-break space, also where the latter has become a plain space.
            .rule("Ã", "\u00a0¡")
            .rule(SMALL, UnicodeText::isSpace, A_CIRCUMFLEX_OR_TILDE, SPACE)
            .rule(SMALL, A_CIRCUMFLEX_OR_TILDE, SPACE)
            // A Latin-1 sign that is its own second byte, in the middle of prose.
            .rule(CLOSING.plus("a..z.,?!"), GlyphSet.of("Â"), PUNCTUATION.plus(" "));
    }

    private static void otherEncodings(SequenceRules rules) {
        rules
            // MacRoman.
            .rule("√", "±∂†≠®™´≤≥¥µø")
            .rule("≈", "°¢")
            .rule("‚", "Ä", "ìîïòôúùû†°¢π")
            .rule("‚", "âó", "àä°ê")
            // Windows-1251: first the signs of U+2000.., then Latin-1 or Cyrillic letters, then mojibake of mojibake.
            .rule("в", "Ђ")
            .rule(GlyphSet.of("ВГРС"), BETWEEN_LEADS.plus("µ"), GlyphSet.of("ВГРС"))
            .rule(GlyphSet.of("Г"), GlyphSet.of("ў"), GlyphSet.of("В"), GlyphSet.of("Ђ"), GlyphSet.of("В"),
                any -> any != '\n', LETTERS.plus(" "))
            // Windows-1253.
            .rule("β", "€", "™\u00a0Ά\u00ad®°")
            .rule(GlyphSet.of("ΒΓΞΟ"), BETWEEN_LEADS, GlyphSet.of("ΒΓΞΟ"))
            // Windows-1257.
            .rule("ā", "€");
    }
}
