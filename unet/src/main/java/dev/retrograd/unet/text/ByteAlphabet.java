package dev.retrograd.unet.text;

import java.util.stream.IntStream;
import java.util.stream.Stream;

/// One printable character for every byte, in which vocabulary files spell tokens: printable Latin-1 stands for itself, the other 68
/// bytes are U+0100 and the following, in their order.
///
/// Parity: `bytes_to_unicode` of GPT-2 and CLIP.
public final class ByteAlphabet {
    private static final GlyphSet ITSELF = GlyphSet.of("!..~¡..¬®..ÿ");
    private static final int FIRST_SUBSTITUTE = 0x100;
    private static final char[] GLYPHS = glyphs();

    private ByteAlphabet() {}

    /// @param value a byte, 0..255
    public static char glyph(int value) {
        return GLYPHS[value];
    }

    /// The characters of all bytes in the order that CLIP's vocabulary begins with: those that stand for themselves first.
    static Stream<String> inVocabularyOrder() {
        return IntStream.range(0, GLYPHS.length).mapToObj(b -> GLYPHS[b]).sorted().map(String::valueOf);
    }

    /// @return the byte that the character stands for, or -1
    static int value(char glyph) {
        if (ITSELF.test(glyph)) {
            return glyph;
        }
        for (int b = 0; b < GLYPHS.length; b++) {
            if (GLYPHS[b] == glyph) {
                return b;
            }
        }
        return -1;
    }

    private static char[] glyphs() {
        char[] glyphs = new char[256];
        int substitute = FIRST_SUBSTITUTE;
        for (int b = 0; b < glyphs.length; b++) {
            glyphs[b] = (char) (ITSELF.test(b) ? b : substitute++);
        }
        return glyphs;
    }
}
