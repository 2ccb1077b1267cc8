package dev.retrograd.unet.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextRepairTest {

    private static void repairs(String broken, String expected) {
        assertEquals(expected, TextRepair.repair(broken));
    }

    @Test void agreesWithFtfyOnEveryGoldenText() throws IOException {
        JsonNode cases = golden();
        assertTrue(cases.size() > 800, "cases: " + cases.size());
        for (JsonNode row : cases) {
            repairs(row.get("text").textValue(), row.get("repaired").textValue());
        }
    }

    @Test void agreesWithPythonsUnescapeOnEveryGoldenText() throws IOException {
        for (JsonNode row : golden()) {
            assertEquals(row.get("unescaped").textValue(), HtmlEntities.unescape(row.get("text").textValue()));
        }
    }

    private static JsonNode golden() throws IOException {
        try (InputStream in = new GZIPInputStream(TextRepairTest.class.getResourceAsStream("text-repair.json.gz"))) {
            return new ObjectMapper().readTree(in).get("cases");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a photo of a cat", "schön", "日本語のテキスト", "Привет, мир", "(╯°□°)╯", "5 × 3 = 15", "naïve café"})
    void leavesHonestTextAlone(String text) {
        repairs(text, text);
    }

    @Test void rereadsTextThatWasDecodedInTheWrongEncoding() {
        repairs("schÃ¶n", "schön");
        repairs("РїСЂРёРІРµС‚", "привет");
        repairs("schÃƒÂ¶n", "schön");
        repairs("âœ” fine", "✔ fine");
    }

    @Test void repairsTheBrokenPartOfMixedText() {
        repairs("日本 schÃ¶n 日本", "日本 schön 日本");
    }

    @Test void restoresANoBreakSpaceThatBecamePlain() {
        repairs("voilÃ le travail", "voilà le travail");
        repairs("Ã s vezes", "às vezes");
    }

    @Test void showsLostBytesAsReplacementCharacter() {
        repairs("â€œ like this â€\ufffd", "\" like this \ufffd");
    }

    @Test void readsCesuSurrogatePairsAndJavasNull() {
        repairs("í\u00a0½í¸\u0080", "😀");
        assertEquals("\0", Utf8Variants.decode("\u00c0\u0080").orElseThrow());
        assertTrue(Utf8Variants.decode("\u00c0\u00af").isEmpty());
        assertTrue(Utf8Variants.decode("\u00ed\u00a0\u0080").isEmpty());
        assertTrue(Utf8Variants.decode("\u00e0\u0080\u0080").isEmpty());
        assertTrue(Utf8Variants.decode("\u00f4\u0090\u0080\u0080").isEmpty());
    }

    @Test void readsC1ControlsAsWindows1252() {
        repairs("\u0093quoted\u0094 \u0085", "\"quoted\" …");
        repairs("\u0081", "\u0081");
    }

    @Test void resolvesHtmlReferencesUnlessTheTextLooksLikeHtml() {
        repairs("&amp; &eacute; &EACUTE; &#39; &#x27; &nbsp;", "& é É ' ' \u00a0");
        repairs("&amp;lt;", "<");
        repairs("this&not that &amp &#59; &#12ab; &nTILDE;", "this&not that &amp &#59; &#12ab; &nTILDE;");
        repairs("<b>&amp;</b>", "<b>&amp;</b>");
        repairs("&amp;\n<b>\n&amp;\n", "&\n<b>\n&amp;\n");
    }

    @Test void removesTerminalEscapes() {
        repairs("\u001b[36;44mblue\u001b[0m", "blue");
        repairs("\u001b[36;44", "[36;44");
    }

    @Test void splitsLatinLigatures() {
        repairs("ﬂuﬃeﬆ ĳ ǆ ŉ", "fluffiest ij dž 'n");
    }

    @Test void givesWideAndNarrowFormsTheirUsualWidth() {
        repairs("ＬＯＵＤ　ＮＯＩＳＥＳ Ｕﾀｰﾝ ﾊﾟ", "LOUD NOISES Uターン パ");
    }

    @Test void straightensQuotes() {
        repairs("“double” ‘single’ „low‟ ‚low‛ ʼ", "\"double\" 'single' \"low\" 'low' '");
    }

    @Test void unifiesLineBreaks() {
        repairs("a\r\nb\rc\u2028d\u2029e", "a\nb\nc\nd\ne");
        assertEquals("\n", CharacterRepairs.unifyLineBreaks("\u0085"));
    }

    @Test void replacesHalvesOfSurrogatePairs() {
        repairs("a\ud83d b\udca9 \ud83d\udca9", "a\ufffd b\ufffd 💩");
    }

    @Test void removesControlsButNotWhiteSpaceOrJoiners() {
        repairs("\u0000a\u0007\u000b\u007f\u206a\ufeff\ufffcb\t\f\u200d", "ab\t\f\u200d");
    }

    @Test void composesAccents() {
        repairs("cafe\u0301 \u212b", "café \u00c5");
    }

    @Test void staysFastOnLongHostileText() {
        String[] pieces = {"schÃ¶n ", "Ã", "&amp;", "\u001b[1;", "â€", "ﬁ", "\u0093", "œ", "𝒥Ã©", "Ð¿Ñ\u0080 日本 "};
        for (String piece : pieces) {
            String text = piece.repeat(100_000 / piece.length());
            assertTimeout(Duration.ofSeconds(10), () -> TextRepair.repair(text), piece);
        }
    }
}
