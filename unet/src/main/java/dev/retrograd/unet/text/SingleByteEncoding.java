package dev.retrograd.unet.text;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The encodings that text is most often wrongly decoded with, in the order in which repair tries them.
///
/// Bytes are a string of the characters U+0000..U+00FF. The first 128 bytes are ASCII everywhere. The Windows encodings leave a few
/// bytes unassigned; here those stand for the Latin-1 character, as in browsers, and byte 1A stands for U+FFFD instead of itself, so
/// that a character already lost takes part in a repair. Source: the Unicode consortium's mapping files. Parity: ftfy
/// `CHARMAP_ENCODINGS`, whose `sloppy-` encodings are the lenient ones.
enum SingleByteEncoding {
    LATIN_1(false, ""),
    WINDOWS_1252(true,
        "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ"),
    WINDOWS_1251(true,
        "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–— ™љ›њќћџ" +
        " ЎўЈ Ґ  Ё Є    Ї  Ііґ   ё№є јЅѕї" +
        "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ" +
        "абвгдежзийклмнопрстуфхцчшщъыьэюя"),
    WINDOWS_1250(true,
        "€ ‚ „…†‡ ‰Š‹ŚŤŽŹ ‘’“”•–— ™š›śťžź" +
        " ˇ˘Ł Ą    Ş    Ż  ˛ł     ąş Ľ˝ľż" +
        "Ŕ  Ă ĹĆ Č Ę Ě  ĎĐŃŇ  Ő  ŘŮ Ű  Ţ " +
        "ŕ  ă ĺć č ę ě  ďđńň  ő  řů ű  ţ˙"),
    WINDOWS_1253(true,
        "€ ‚ƒ„…†‡ ‰ ‹     ‘’“”•–— ™ ›    " +
        " ΅Ά            ―    ΄   ΈΉΊ Ό ΎΏ" +
        "ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ ΣΤΥΦΧΨΩΪΫάέήί" +
        "ΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώ "),
    WINDOWS_1254(true,
        "€ ‚ƒ„…†‡ˆ‰Š‹Œ    ‘’“”•–—˜™š›œ  Ÿ" +
        "                                " +
        "                Ğ            İŞ " +
        "                ğ            ış "),
    WINDOWS_1257(true,
        "€ ‚ „…†‡ ‰ ‹ ¨ˇ¸ ‘’“”•–— ™ › ¯˛ " +
        "        Ø Ŗ    Æ        ø ŗ    æ" +
        "ĄĮĀĆ  ĘĒČ ŹĖĢĶĪĻŠŃŅ Ō   ŲŁŚŪ ŻŽ " +
        "ąįāć  ęēč źėģķīļšńņ ō   ųłśū żž˙"),
    ISO_8859_2(false,
        "                                " +
        " Ą˘Ł ĽŚ  ŠŞŤŹ ŽŻ ą˛ł ľśˇ šşťź˝žż" +
        "Ŕ  Ă ĹĆ Č Ę Ě  ĎĐŃŇ  Ő  ŘŮ Ű  Ţ " +
        "ŕ  ă ĺć č ę ě  ďđńň  ő  řů ű  ţ˙"),
    MAC_ROMAN(false,
        "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü" +
        "†°  §•¶ß® ™´¨≠ÆØ∞ ≤≥¥ ∂∑∏π∫ªºΩæø" +
        "¿¡¬√ƒ≈∆«»…\u00a0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ" +
        "‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\uf8ffÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ"),
    CP_437(false,
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ" +
        "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
        "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
        "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0");

    private static final char REPLACEMENT = '\uFFFD';
    private static final char SUBSTITUTE = '\u001A';

    private final boolean lenient;
    private final Map<Character, Character> byteOf = new HashMap<>();
    private final char[] charOf = new char[256];

    /// @param upperHalf the characters of bytes 80..FF; a space or a missing end: the Latin-1 character
    SingleByteEncoding(boolean lenient, String upperHalf) {
        this.lenient = lenient;
        for (char code = 0; code < charOf.length; code++) {
            int place = code - 0x80;
            boolean asLatin1 = place < 0 || place >= upperHalf.length() || upperHalf.charAt(place) == ' ';
            charOf[code] = asLatin1 ? code : upperHalf.charAt(place);
        }
        if (lenient) {
            charOf[SUBSTITUTE] = REPLACEMENT;
        }
        for (char code = 0; code < charOf.length; code++) {
            byteOf.put(charOf[code], code);
        }
    }

    /// Whether unassigned bytes are let through and U+FFFD is a byte.
    boolean isLenient() {
        return lenient;
    }

    /// @return the bytes, or nothing if a character is not of this encoding
    Optional<String> encode(String text) {
        StringBuilder bytes = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            Character code = byteOf.get(text.charAt(i));
            if (code == null) {
                return Optional.empty();
            }
            bytes.append(code.charValue());
        }
        return Optional.of(bytes.toString());
    }

    /// @param code a byte, 0..255
    char decode(int code) {
        return charOf[code];
    }
}
